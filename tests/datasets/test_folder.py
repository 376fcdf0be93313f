import csv
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visuotactile.datasets.convert import convert
from visuotactile.datasets.readers.folder import Folder
from visuotactile.errors import DataError

WriteFolder = Callable[..., None]


def test_a_folder_of_images_and_a_table_becomes_a_store(tmp_path: Path, write_folder: WriteFolder) -> None:
    write_folder(tmp_path / "mine")
    store = convert("folder", tmp_path / "mine", tmp_path / "store", progress=False)
    assert store.names.tolist() == ["grasp 0", "grasp 1", "grasp 2"]
    assert set(store.specs) == {("tactile_left", "before"), ("tactile_left", "during")}
    assert store.column("success").tolist() == [0, 1, 0]
    assert store.column("pose/yaw").tolist() == [-0.1] * 3
    assert store.column("note").tolist() == ["ünsure"] * 3
    assert store.sensors.tolist() == ["DIGIT 1"] * 3
    png = np.asarray(Image.open(tmp_path / "mine/images/1-before.png"))
    np.testing.assert_array_equal(store.read("tactile_left", "before", [1])[0], png)


def test_the_example_in_the_documentation_works(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    table = text.split("```csv\n")[1].split("```")[0]
    (tmp_path / "trials.csv").write_text(table, encoding="utf-8")
    for row in csv.DictReader(table.splitlines()):
        for column, cell in row.items():
            if column.startswith(("tactile_left/", "rgb/")):
                (tmp_path / cell).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / cell)
    store = convert("folder", tmp_path, tmp_path.with_name("store"), progress=False)
    assert len(store) == 3
    assert {"outcome/success", "action/force"} <= set(store.columns)


def test_trials_come_by_name_and_errors_by_the_row_of_the_spreadsheet(
    tmp_path: Path, write_folder: WriteFolder
) -> None:
    write_folder(tmp_path, changes={(0, "name"): "z"})
    assert Folder(tmp_path).names == ("grasp 1", "grasp 2", "z")
    write_folder(tmp_path, changes={(0, "name"): "z", (0, "outcome/success"): "yes"})
    with pytest.raises(DataError, match="row 2, column outcome/success: 'yes' is not a number"):
        Folder(tmp_path)


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("name", "grasp 0", "row 3, column name: 'grasp 0' stands in an earlier row"),
        ("name", "", "row 3, column name: empty"),
        ("object", "", "row 3, column object: empty"),
        ("object", "a\x07b", "row 3"),
        ("outcome/success", "nan", "row 3, column outcome/success: 'nan'"),
        ("action/force", "1e999", "row 3, column action/force"),
        ("tactile_left/before", "", "row 3, column tactile_left/before: ''"),
        ("tactile_left/before", "/etc/hostname", "expected a path relative"),
        ("tactile_left/before", "C:\\hand.png", "expected a path relative"),
        ("tactile_left/before", "../secret.png", "leads out of"),
        ("tactile_left/before", "images/../../secret.png", "leads out of"),
        ("tactile_left/before", "images/../images/1-before.png", "leads out of"),
        ("tactile_left/before", "link.png", "leads out of"),
        ("tactile_left/before", "images/none.png", "there is no file 'images/none.png'"),
        ("tactile_left/before", "images", "a clip, but most are a single image"),
        ("tactile_left/before", "Images/1-before.png", "there is no file 'Images/1-before.png'"),
        ("tactile_left/before", "images/1-BEFORE.PNG", "did you mean 1-before.png?"),
        ("tactile_left/before", "images\\1-before.png", "write / between folders"),
        ("tactile_left/before", "pipe.mp4", "neither a file nor a folder, but a device or a pipe"),
        ("tactile_left/before", "im*/1-before.png", "a pattern in a folder's name"),
        ("tactile_left/before", "x" * 5000, "row 3, column tactile_left/before"),
        ("tactile_left/before", "trials.csv", "not a whole PNG or JPEG"),
        ("tactile_left/before", "grey.png", "mode L; expected RGB"),
        ("tactile_left/before", "alpha.png", "mode RGBA; expected RGB"),
        ("tactile_left/before", "deep.png", "expected RGB"),
        ("tactile_left/before", "picture.gif", "not a whole PNG or JPEG"),
        ("tactile_left/before", "bomb.png", "claims 10000×10000 pixels"),
        ("tactile_left/before", "huge.png", "not a whole PNG or JPEG"),
        ("tactile_left/before", "half.png", "not a whole PNG or JPEG"),
        ("note", "a\x00b", ""),
    ],
)
def test_a_wrong_cell_is_named_by_row_and_column(
    tmp_path: Path, write_folder: WriteFolder, column: str, cell: str, said: str
) -> None:
    root = tmp_path / "mine"
    write_folder(root, changes={(1, column): cell})
    image = Image.fromarray(np.zeros((9, 9, 3), np.uint8))
    image.save(tmp_path / "secret.png")
    os.mkfifo(root / "pipe.mp4")
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    image.convert("L").save(root / "grey.png")
    image.convert("RGBA").save(root / "alpha.png")
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(root / "deep.png")
    image.save(root / "picture.gif")
    (root / "bomb.png").write_bytes(_png_that_claims(10_000, 10_000))
    (root / "huge.png").write_bytes(_png_that_claims(2**31 - 1, 2**31 - 1))
    (root / "half.png").write_bytes((root / "images/0-before.png").read_bytes()[:100])
    with pytest.raises(DataError) as caught:
        convert("folder", root, tmp_path / "store", progress=False)
    assert said in str(caught.value)
    if column.startswith("tactile"):
        assert f"row 3, column {column}" in str(caught.value)


def _png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "holds no trials"),
        ("name,object,rgb/before\n", "holds no trials"),
        ("name,rgb/before\na,b.png\n", "no column 'object'"),
        ("name,object\na,b\n", "no image column"),
        ("name,object,rgb/early\na,b,c.png\n", "'early' is no phase"),
        ("name,object,name,rgb/before\na,b,c,d\n", "'name' stands twice"),
        ("name,object,,rgb/before\na,b,c,d\n", "has no name"),
        ("name,object,rgb/before\na,b\n", "row 2: 2 cells, the header has 3"),
        ('name,object,rgb/before\n"a,b,c\n', "not a CSV file"),
        ("name,object,rgb/before\n" + "x" * 200_000 + ",b,c\n", "not a CSV file"),
        ("name,object,../rgb/before\na,b,c\n", "is no phase"),
        ("name,object,a b/before\na,b,c\n", "no file"),
    ],
)
def test_a_wrong_table_says_what_a_right_one_has(tmp_path: Path, table: str, said: str) -> None:
    (tmp_path / "trials.csv").write_text(table)
    with pytest.raises(DataError) as caught:
        Folder(tmp_path).trial(0)
    assert said in str(caught.value)
    assert "trials.csv" in str(caught.value)


def test_a_table_in_another_encoding_or_none_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"trials\.csv is missing"):
        Folder(tmp_path)
    (tmp_path / "trials.csv").write_bytes("name,object,rgb/before\nä,b,c".encode("utf-16"))
    with pytest.raises(DataError, match="UTF-8"):
        Folder(tmp_path)


def test_a_table_as_spreadsheets_write_it_is_read(tmp_path: Path, write_folder: WriteFolder) -> None:
    write_folder(tmp_path)
    table = (tmp_path / "trials.csv").read_text(encoding="utf-8")
    (tmp_path / "trials.csv").write_bytes(("\ufeff" + table + ",,,,,,,,,\r\n").encode())
    assert len(Folder(tmp_path)) == 3
