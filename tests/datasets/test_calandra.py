from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from visuotactile.datasets.convert import convert
from visuotactile.datasets.readers.calandra import Calandra, crop_kinect, merge_truncated
from visuotactile.errors import DataError, StoreError

WriteCalandra = Callable[..., None]


def test_the_release_is_read_from_attributes_in_the_order_of_the_numbers(
    tmp_path: Path, write_calandra: WriteCalandra
) -> None:
    objects = [f"thing {i}" for i in range(12)]
    write_calandra(tmp_path / "calandra_corl2017_001.h5", ["last"])
    write_calandra(tmp_path / "calandra_corl2017_000.h5", objects)
    reader = Calandra(tmp_path)
    trials = [reader.trial(i) for i in range(len(reader))]
    assert [trial.name for trial in trials[:3]] == [f"calandra_corl2017_000/i{i}" for i in range(3)]
    assert [trial.columns["recorded_object"] for trial in trials] == [*objects, "last"]
    assert [trial.outcomes["success"] for trial in trials[:4]] == [0, 1, 0, 1]
    with h5py.File(tmp_path / "calandra_corl2017_000.h5") as file:
        for stream, disk in (
            ("rgb", "kinectA_rgb"),
            ("tactile_left", "gelsightA"),
            ("tactile_right", "gelsightB"),
        ):
            for phase in ("before", "during", "after"):
                expected = file[f"data/i10/{disk}_{phase}"][()]
                np.testing.assert_array_equal(trials[10].streams[stream][phase], expected)


def test_a_truncated_name_joins_the_one_it_begins() -> None:
    names = ["spam_can", "spam_ca", "ball", "ball_red", "ball_blue", "mug"]
    assert merge_truncated(names) == {
        "spam_can": "spam_can",
        "spam_ca": "spam_can",
        "ball": "ball",  # could be either ball
        "ball_red": "ball_red",
        "ball_blue": "ball_blue",
        "mug": "mug",
    }


def test_truncated_names_become_one_object_across_files(
    tmp_path: Path, write_calandra: WriteCalandra
) -> None:
    write_calandra(tmp_path / "calandra_corl2017_000.h5", ["metal_cylinder", "mug"])
    write_calandra(tmp_path / "calandra_corl2017_001.h5", ["metal_cylin"])
    store = convert("calandra2017", tmp_path, tmp_path / "store", progress=False)
    assert store.objects.tolist() == ["metal_cylinder", "mug", "metal_cylinder"]
    assert store.column("recorded_object").tolist() == ["metal_cylinder", "mug", "metal_cylin"]


def test_the_kinect_crop_keeps_the_axes_apart(tmp_path: Path, write_calandra: WriteCalandra) -> None:
    image = np.zeros((1000, 2000, 3), np.uint8)
    assert crop_kinect(image).shape == (606 - 64, 1951 - 270, 3)
    write_calandra(tmp_path / "a.h5", ["mug"], (50, 80, 3))
    streams = Calandra(tmp_path, crop_rgb=True).trial(0).streams
    assert streams["rgb"]["during"].shape == (30 - 3, 78 - 11, 3)
    assert streams["tactile_left"]["during"].shape == (50, 80, 3)


def test_images_of_two_shapes_do_not_go_into_one_store_unless_resized(
    tmp_path: Path, write_calandra: WriteCalandra
) -> None:
    write_calandra(tmp_path / "a.h5", ["mug"], (12, 16, 3))
    write_calandra(tmp_path / "b.h5", ["can"], (14, 16, 3))
    with pytest.raises(StoreError, match=r"b/i0.*\(14, 16, 3\), but uint8 \(12, 16, 3\)"):
        convert("calandra2017", tmp_path, tmp_path / "store", progress=False)
    store = convert("calandra2017", tmp_path, tmp_path / "small", size=(8, 8), progress=False)
    assert {spec.shape for spec in store.specs.values()} == {(8, 8, 3)}


def _spoil_attribute(group: h5py.Group, value: object, name: str = "object_name") -> None:
    group.attrs[name] = value


SPOILT: dict[str, tuple[Callable[[h5py.Group], object], str]] = {
    "pickled name": (
        lambda g: _spoil_attribute(g, np.void(b"\x80\x04\x95\x10cos\nsystem\n.")),
        "short text of fixed length",
    ),
    "pickle as bytes": (lambda g: _spoil_attribute(g, np.bytes_(b"\x80\x04\x95cos\nsystem")), "plain text"),
    "name of variable length": (lambda g: _spoil_attribute(g, "mug"), "fixed length"),
    "empty name": (lambda g: _spoil_attribute(g, np.bytes_(b" ")), "plain text"),
    "no name": (lambda g: g.attrs.__delitem__("object_name"), "no attribute 'object_name'"),
    "label 2": (lambda g: _spoil_attribute(g, 2, "is_gripping"), "expected 0 or 1"),
    "label NaN": (lambda g: _spoil_attribute(g, np.nan, "is_gripping"), "expected 0 or 1"),
    "two labels": (lambda g: _spoil_attribute(g, [0, 1], "is_gripping"), "expected 0 or 1"),
    "long label": (lambda g: _spoil_attribute(g, np.zeros(5000), "is_gripping"), "short text"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_spoilt_label_or_name_is_one_clear_error(
    tmp_path: Path, write_calandra: WriteCalandra, case: str
) -> None:
    write_calandra(tmp_path / "a.h5", ["mug", "can"])
    spoil, said = SPOILT[case]
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        spoil(file["data/i1"])
    with pytest.raises(DataError, match=said) as caught:
        Calandra(tmp_path)
    assert "data/i1" in str(caught.value)


def _objects(parent: h5py.Group, name: str) -> None:
    parent.create_dataset(name, (3,), dtype=h5py.vlen_dtype(np.uint8))


IMAGES: dict[str, tuple[Callable[[h5py.Group, Path], object], str]] = {
    "missing": (lambda g, t: None, "has no 'gelsightA_during'"),
    "a group": (lambda g, t: g.create_group("gelsightA_during"), "is a Group"),
    "objects": (lambda g, t: _objects(g, "gelsightA_during"), "dtype object"),
    "a pickle": (
        lambda g, t: g.create_dataset("gelsightA_during", data=np.frombuffer(b"\x80\x04.", np.uint8)),
        "expected an RGB image",
    ),
    "floats": (
        lambda g, t: g.create_dataset("gelsightA_during", data=np.zeros((4, 4, 3))),
        "expected an RGB",
    ),
    "grey": (lambda g, t: g.create_dataset("gelsightA_during", data=np.zeros((4, 4), np.uint8)), "RGB image"),
    "nothing": (lambda g, t: g.create_dataset("gelsightA_during", data=h5py.Empty("u1")), "is empty"),
    "no rows": (lambda g, t: g.create_dataset("gelsightA_during", (0, 4, 3), "u1"), "empty"),
    "absurdly large": (
        lambda g, t: g.create_dataset("gelsightA_during", (2**30, 2**20, 3), "u1", chunks=(64, 64, 3)),
        "at most",
    ),
    "absurd chunks": (
        lambda g, t: g.create_dataset(
            "gelsightA_during", (4, 4, 3), "u1", chunks=(2**15, 2**15, 3), maxshape=(None, None, 3)
        ),
        "at most",
    ),
    "elsewhere": (
        lambda g, t: g.__setitem__("gelsightA_during", h5py.ExternalLink(str(t), "data/i0/gelsightA_during")),
        "link to elsewhere",
    ),
    "a soft link": (
        lambda g, t: g.__setitem__("gelsightA_during", h5py.SoftLink("/data/i0/gelsightA_during")),
        "link to elsewhere",
    ),
    "stored elsewhere": (
        lambda g, t: g.create_dataset("gelsightA_during", (4, 4, 3), "u1", external=[(str(t), 0, 48)]),
        "stored in another file",
    ),
}


@pytest.mark.parametrize("case", IMAGES)
def test_what_is_not_an_image_in_this_file_is_refused(
    tmp_path: Path, write_calandra: WriteCalandra, case: str
) -> None:
    write_calandra(tmp_path / "elsewhere.h5", ["secret"])
    write_calandra(tmp_path / "source" / "a.h5", ["mug", "can"])
    make, said = IMAGES[case]
    with h5py.File(tmp_path / "source/a.h5", "r+") as file:
        del file["data/i1/gelsightA_during"]
        make(file["data/i1"], tmp_path / "elsewhere.h5")
    reader = Calandra(tmp_path / "source")
    reader.trial(0)
    with pytest.raises(DataError, match=said) as caught:
        reader.trial(1)
    assert "i1" in str(caught.value)


def test_a_virtual_dataset_is_refused(tmp_path: Path, write_calandra: WriteCalandra) -> None:
    write_calandra(tmp_path / "elsewhere.h5", ["secret"])
    write_calandra(tmp_path / "source" / "a.h5", ["mug"])
    with h5py.File(tmp_path / "source/a.h5", "r+") as file:
        del file["data/i0/gelsightA_during"]
        layout = h5py.VirtualLayout((12, 16, 3), "u1")
        layout[:] = h5py.VirtualSource(tmp_path / "elsewhere.h5", "data/i0/gelsightA_during", (12, 16, 3))
        file.create_virtual_dataset("data/i0/gelsightA_during", layout)
    with pytest.raises(DataError, match="stored in another file"):
        Calandra(tmp_path / "source").trial(0)


def test_a_file_of_another_layout_says_what_was_expected(
    tmp_path: Path, write_calandra: WriteCalandra
) -> None:
    write_calandra(tmp_path / "a.h5", ["mug"])
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["data"].create_group("j1")
    with pytest.raises(DataError, match="a member 'j1'; expected trials i0"):
        Calandra(tmp_path)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("data")
    with pytest.raises(DataError, match="holds nothing"):
        Calandra(tmp_path)
    (tmp_path / "a.h5").write_bytes(b"\x80\x04\x95pickle")
    with pytest.raises(DataError, match=r"a\.h5 is damaged or not HDF5"):
        Calandra(tmp_path)


def test_a_group_that_contains_itself_does_not_hang(tmp_path: Path, write_calandra: WriteCalandra) -> None:
    write_calandra(tmp_path / "a.h5", ["mug"])
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["data/i0/loop"] = file["data"]
        deep = file["data/i0"]
        for _ in range(200):
            deep = deep.create_group("deeper")
    assert Calandra(tmp_path).trial(0).object == "mug"
