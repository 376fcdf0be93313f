"""Every kind of picture that Pillow knows is read as it was taken, or refused by name."""

import contextlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visuotactile.datasets.image_file import read_image
from visuotactile.errors import DataError

ORIENTATION = 0x0112
TAKEN = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)

STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda x: x,
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, 1),
    7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
    8: lambda x: np.rot90(x, -1),
}
"""EXIF orientation → transformation of the scene to the stored image."""


def png(depth: int, colour: int, rows: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """A PNG file of 2 × 2 pixels."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 2, 2, depth, colour, 0, 0, 0)), *more]
    parts += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def saved(mode: str, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(TAKEN).convert(mode).save(file, kind, **options)
    return file.getvalue()


def frames(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(TAKEN).save(file, kind, save_all=True, append_images=[Image.fromarray(255 - TAKEN)])
    return file.getvalue()


def deep() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("orientation", STORED)
def test_a_photograph_is_read_as_it_was_taken_however_the_camera_was_held(
    tmp_path: Path, orientation: int
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](TAKEN)))
    stored.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", "row 2"), TAKEN)
    stored.save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    found = read_image(tmp_path / "a.jpg", "row 2").astype(int)
    assert abs(found - TAKEN).max() < 20


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(TAKEN).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", "row 2"), TAKEN)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (saved("1", "PNG"), "mode 1"),
        (saved("L", "PNG"), "mode L"),
        (saved("LA", "PNG"), "mode LA"),
        (saved("P", "PNG"), "mode P"),
        (saved("P", "PNG", transparency=0), "mode P"),
        (saved("RGBA", "PNG"), "mode RGBA"),
        (deep(), "mode I;16"),
        (png(16, 4, b"\0" + bytes(8) + b"\0" + bytes(8)), "mode LA|mode RGBA"),
        (png(16, 2, b"\0" + bytes(12) + b"\0" + bytes(12)), "16 bits a channel"),
        (png(16, 6, b"\0" + bytes(16) + b"\0" + bytes(16)), "mode RGBA"),
        (png(8, 2, (b"\0" + bytes(6)) * 2, (b"tRNS", bytes(6))), "a transparent colour"),
        (frames("PNG"), "2 frames"),
        (saved("L", "JPEG"), "mode L"),
        (saved("CMYK", "JPEG"), "mode CMYK"),
        (saved("RGB", "GIF"), "not a whole PNG or JPEG"),
        (saved("RGB", "TIFF"), "not a whole PNG or JPEG"),
        (saved("RGB", "WEBP"), "not a whole PNG or JPEG"),
        (saved("RGB", "BMP"), "not a whole PNG or JPEG"),
        (saved("RGB", "EPS"), "not a whole PNG or JPEG"),
        (saved("YCbCr", "TIFF"), "not a whole PNG or JPEG"),
        (saved("F", "TIFF"), "not a whole PNG or JPEG"),
        (b"", "not a whole PNG or JPEG"),
    ],
)
def test_what_is_not_rgb_of_8_bits_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        read_image(tmp_path / "a.png", "row 2")
    assert str(caught.value).startswith("row 2: a.png ")
    assert "\n" not in str(caught.value)


def test_a_preview_behind_a_phones_photograph_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(frames("MPO"))
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.format == "MPO"
    assert abs(read_image(tmp_path / "a.jpg", "row 2").mean() - TAKEN.mean()) < 2


def test_damaged_exif_is_no_traceback(tmp_path: Path) -> None:
    whole = saved("RGB", "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0")
    for size in range(8, 30):
        (tmp_path / "a.jpg").write_bytes(whole[:26] + bytes([size]) * 4 + whole[30:])
        with contextlib.suppress(DataError):
            assert read_image(tmp_path / "a.jpg", "row 2").shape in ((6, 8, 3), (8, 6, 3))
