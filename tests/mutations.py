"""Seeded damage of files: bytes, JSON, YAML, tables, HDF5, images, weights, checkpoints, and what is no file.

A mutant is a function of a generator alone, so that it can be made again by its number.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
import yaml

Rng = np.random.Generator
Mutate = Callable[[Path, Rng], str]
"""Damages a file in place; returns the kind of damage in words."""

LONG = "@LONG@"
"""Stands in a value for a number that JSON text alone can hold."""

NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 2, 7, 255, 4096, 2**31, 2**31 - 1, 2**53, 2**63, 2**64, 10**9, 10**30, -(10**30)),
    *(0.0, 0.5, -0.5, 1e-300, 1e308, -1e308, float("nan"), float("inf"), LONG),
)
TEXTS: tuple[str, ...] = (
    *("", " ", "a", "name", "object", "hidden/mass", "outcome/success", "trial", "during", "after", "before"),
    *("../../etc/passwd", "/dev/zero", "a/b", "..", ".", "\x00", "\ud800", "ünï😀", "x" * 600, "x" * 70000),
    *(
        "resnet50",
        "vit_giant_patch14_224",
        "convnext_xxlarge",
        "test_convnext",
        "eva02_enormous_patch14_clip_224",
    ),
    *(
        "1",
        "nan",
        "inf",
        "1e400",
        "true",
        "null",
        "[]",
        "http://localhost/x",
        "cuda",
        "uint8",
        "float64",
        "object",
    ),
)
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], {"a": 1}, [1, 2, 3], ["a"], [None], [{}])


def value(rng: Rng) -> Any:
    """Something that seldom belongs where it is put."""
    kind = int(rng.integers(4))
    if kind == 3 and rng.random() < 0.2:
        return nested(int(rng.choice([50, 400, 3000])))
    return ((*NUMBERS,), TEXTS, OTHERS, OTHERS)[kind][
        int(rng.integers((len(NUMBERS), len(TEXTS), len(OTHERS), len(OTHERS))[kind]))
    ]


def nested(depth: int) -> Any:
    """Lists in lists."""
    found: Any = []
    for _ in range(depth):
        found = [found]
    return found


def places(tree: Any, where: tuple[Any, ...] = (), most: int = 4000) -> list[tuple[Any, ...]]:
    """Paths to the values in nested mappings and lists, without the root."""
    found: list[tuple[Any, ...]] = []
    items = (
        tree.items()
        if isinstance(tree, Mapping)
        else enumerate(tree)
        if isinstance(tree, list | tuple)
        else ()
    )
    for key, inner in list(items)[:200]:
        found.append((*where, key))
        if len(found) < most:
            found += places(inner, (*where, key), most - len(found))
    return found


def _at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def change(tree: Any, rng: Rng, some: Callable[[Rng], Any] = value) -> str:
    """Change one value within nested mappings and lists; tuples become lists on the way."""
    known = places(tree)
    if not known:
        return "nothing to change"
    # Every depth alike: otherwise long lists take it all.
    depths = sorted({len(path) for path in known})
    depth = depths[int(rng.integers(len(depths)))]
    among = [path for path in known if len(path) == depth]
    path = among[int(rng.integers(len(among)))]
    parent, key = _at(tree, path[:-1]), path[-1]
    if isinstance(parent, tuple):
        return "within a tuple"
    how = str(rng.choice(["other", "other", "other", "remove", "rename", "double", "swap", "number"]))
    where = "/".join(map(str, path))[:60]
    if how == "remove":
        del parent[key]
    elif how == "rename" and isinstance(parent, dict):
        parent[str(some(rng))[:100]] = parent.pop(key)
    elif how == "double" and isinstance(parent, list):
        parent.extend(parent[:] * int(rng.choice([1, 30])))
    elif how == "swap":
        other = known[int(rng.integers(len(known)))]
        parent[key] = _copy(_at(tree, other)) if path[: len(other)] != other else None
    elif how == "number" and isinstance(parent[key], int | float) and not isinstance(parent[key], bool):
        parent[key] = NUMBERS[int(rng.integers(len(NUMBERS)))]
    else:
        parent[key] = some(rng)
    return f"{how} {where}"


def _copy(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _copy(inner) for key, inner in tree.items()}
    return [_copy(inner) for inner in tree] if isinstance(tree, list) else tree


def dumped(tree: Any) -> bytes:
    """JSON of it, with numbers of 5,000 digits where `LONG` stands."""
    return json.dumps(tree).replace(f'"{LONG}"', "7" * 5000).encode("utf-8", "surrogatepass")


def in_bytes(path: Path, rng: Rng) -> str:
    """Flip, cut, move, insert or repeat bytes; most of all in the beginning, which says most about a file."""
    data = path.read_bytes()
    path.write_bytes(spoil(data, rng))
    return "bytes"


def spoil(data: bytes, rng: Rng) -> bytes:
    """Damaged bytes."""

    def place() -> int:
        among = max(1, len(data) if rng.random() < 0.5 else min(len(data), 3000))
        return int(rng.integers(among))

    how = int(rng.integers(8))
    if how <= 2:
        spoilt = bytearray(data or b"\0")
        for _ in range(int(rng.choice([1, 1, 1, 2, 5, 30]))):
            spoilt[place() % len(spoilt)] = int(rng.choice([0, 255, 128, 1, int(rng.integers(256))]))
        return bytes(spoilt)
    if how == 3:
        return data[: place()]
    if how == 4:
        start, length, to = place(), int(rng.integers(1, 600)), place()
        block, rest = data[start : start + length], data[:start] + data[start + length :]
        return rest[:to] + block + rest[to:]
    if how == 5:
        at = place()
        return data[:at] + rng.bytes(int(rng.integers(1, 60))) + data[at:]
    if how == 6:
        at, length = place(), int(rng.choice([4, 8, 100, 4096]))
        fill = bytes([int(rng.choice([0, 255, 127]))])
        return data[:at] + fill * len(data[at : at + length]) + data[at + length :]
    return rng.bytes(int(rng.integers(0, 50))) if rng.random() < 0.5 else data * 2


def no_file(path: Path, rng: Rng) -> str:
    """A pipe, a folder, a dangling or endless link, nothing, or emptiness in a file's place."""
    path.unlink()
    how = str(rng.choice(["pipe", "folder", "dangling", "loop", "device", "nothing", "empty"]))
    if how == "pipe":
        os.mkfifo(path)
    elif how == "folder":
        path.mkdir()
    elif how == "dangling":
        path.symlink_to(path.with_name("nowhere"))
    elif how == "loop":
        path.symlink_to(path)
    elif how == "device":
        path.symlink_to("/dev/zero")
    elif how == "empty":
        path.write_bytes(b"")
    return how


def restore(path: Path, whole: bytes) -> None:
    """Put the file back, whatever lies there now."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists() or path.is_symlink():
        path.unlink()
    path.write_bytes(whole)


def in_json(path: Path, rng: Rng) -> str:
    """Change values of a JSON text, or of one of its lines."""
    lines = path.read_bytes().splitlines()
    text = path.read_bytes()
    if path.suffix == ".jsonl":
        number = int(rng.integers(len(lines)))
        tree = json.loads(lines[number])
        how = change(tree, rng)
        lines[number] = dumped(tree)
        path.write_bytes(b"\n".join(lines) + b"\n")
        return how
    if rng.random() < 0.04:
        path.write_bytes(dumped(value(rng)))
        return "another root"
    tree = json.loads(text)
    how = change(tree, rng)
    while rng.random() < 0.2:
        how += ", " + change(tree, rng)
    path.write_bytes(dumped(tree))
    return how


def sealed(seal: Callable[[Path], None]) -> Mutate:
    """Changes of JSON whose hash is put right most of the time, so that what lies behind it is reached."""

    def mutate(path: Path, rng: Rng) -> str:
        how = in_json(path, rng)
        if rng.random() < 0.85:
            try:
                seal(path)
            except (ValueError, TypeError, AttributeError, RecursionError):
                return f"{how}, unsealed"
        return how

    return mutate


def in_yaml(path: Path, rng: Rng) -> str:
    """Change values of a YAML text."""
    tree = yaml.safe_load(path.read_text())
    how = change(tree, rng)
    text = yaml.safe_dump(tree, allow_unicode=True) if rng.random() < 0.9 else "&a [*a, *a]\n"
    path.write_bytes(text.replace(LONG, "7" * 5000).encode("utf-8", "surrogatepass"))
    return how


def in_table(path: Path, rng: Rng) -> str:
    """Change cells of a CSV text, or its form."""
    rows = [line.split(",") for line in path.read_text("utf-8").splitlines()]
    how = str(
        rng.choice(["cell", "cell", "cell", "header", "wide", "tall", "quotes", "separator", "encoding"])
    )
    if how in ("cell", "header"):
        row = rows[0] if how == "header" else rows[int(rng.integers(1, len(rows)))]
        row[int(rng.integers(len(row)))] = str(value(rng))[:5000]
    elif how == "wide":
        more = int(rng.choice([10, 900, 20000]))
        rows = [row + [f"c{i}" for i in range(more)] for row in rows]
    elif how == "tall":
        rows += [[f"t{i}", *rows[1][1:]] for i in range(int(rng.choice([10, 3000])))]
    elif how == "quotes":
        rows[-1][-1] = '"' + "\n" * int(rng.choice([1, 200000])) + str(rng.choice(["", '"']))
    separator = {"separator": str(rng.choice([";", "\t", ",,", "\0"]))}.get(how, ",")
    encoding = str(rng.choice(["utf-16", "latin-1", "utf-32"])) if how == "encoding" else "utf-8"
    path.write_bytes("\n".join(separator.join(row) for row in rows).encode(encoding, "replace"))
    return how


def in_hdf5(path: Path, rng: Rng) -> str:
    """Change a member of an HDF5 file: gone, another kind or shape, a bomb, or a way out of the file."""
    with h5py.File(path, "r+", locking=False) as file:
        names: list[str] = []
        file.visit(names.append)
        name = names[int(rng.integers(len(names)))]
        how = str(rng.choice(HDF5))
        old = file[name]
        shape = old.shape if isinstance(old, h5py.Dataset) else (1,)
        dtype = old.dtype if isinstance(old, h5py.Dataset) else np.dtype("uint8")
        attributes = dict(old.attrs)
        if how == "attribute":
            home = file[name]
            for key in list(home.attrs) or ["object_name"]:
                del home.attrs[key]
                if rng.random() < 0.8:
                    home.attrs[key] = attribute(rng)
            return f"{how} {name}"
        del file[name]
        if how == "bomb":
            big = tuple(int(n) * int(rng.choice([1, 300, 5000])) for n in shape) or (10**6,)
            big = big if np.prod([float(n) for n in big]) < 2**40 else (2**30,)
            file.create_dataset(
                name, big, dtype, chunks=tuple(min(n, 4096) for n in big), compression="gzip", fillvalue=0
            )
        elif how == "claim":
            file.create_dataset(
                name, tuple(int(n) * int(rng.choice([1, 2, 10**6])) for n in shape), dtype, maxshape=None
            )
        elif how == "dtype":
            other = str(rng.choice(["f8", "i8", "u2", "S5", "S5000", "b1", "c16"]))
            file.create_dataset(name, data=np.zeros(shape, other))
        elif how == "shape":
            other_shape = [(), (0,), (1,), (3, 3), (2, 2, 3), (1, 2, 3, 4), (5, *shape), shape[::-1]][
                int(rng.integers(8))
            ]
            file.create_dataset(name, data=np.zeros(other_shape, dtype))
        elif how == "group":
            file.create_group(name)
        elif how == "soft":
            file[name] = h5py.SoftLink(str(rng.choice(["/", name, "/nowhere", "/" + names[0]])))
        elif how == "external":
            file[name] = h5py.ExternalLink(
                str(rng.choice(["/etc/passwd", path.name, "x.h5"])), "/" + names[0]
            )
        elif how == "strings":
            file.create_dataset(
                name,
                data=np.array(["text"] * max(1, int(np.prod(shape[:1]))), dtype=object),
                dtype=h5py.string_dtype(),
            )
        elif how == "compound":
            file.create_dataset(name, data=np.zeros(3, [("a", "f4"), ("b", "i4")]))
        elif how == "values" and dtype.kind in "uif":
            filler = (
                float(rng.choice([0, 1, 255, -1]))
                if dtype.kind != "f"
                else float(rng.choice([np.nan, np.inf, 1e300, -1e300, 0]))
            )
            with np.errstate(all="ignore"):
                file.create_dataset(name, data=np.full(shape, filler).astype(dtype))
        elif how == "odd name":
            file.create_dataset(
                name.rsplit("/", 1)[0]
                + "/"
                + str(rng.choice(["i-1", "i99999999999", "ü", "i1x", "x" * 300])),
                data=np.zeros(2),
            )
        for key, old_value in attributes.items():
            if name in file and how != "external":
                file[name].attrs[key] = old_value
    return f"{how} {name}"


HDF5 = (
    *("bomb", "bomb", "claim", "dtype", "shape", "group", "soft", "external", "strings", "compound"),
    *("values", "odd name", "gone", "attribute", "attribute"),
)


def attribute(rng: Rng) -> Any:
    """A value of an HDF5 attribute."""
    found = [
        *(
            np.bytes_(b"\xff\xfe"),
            np.bytes_(b""),
            "text",
            3,
            -1,
            10**18,
            np.nan,
            np.zeros(1000),
            np.zeros((0,)),
        ),
        *(np.array([b"a", b"b"]), np.array(["a"], dtype=h5py.string_dtype()), True, np.void(b"\x80\x04.")),
    ]
    return found[int(rng.integers(len(found)))]


def in_png(path: Path, rng: Rng) -> str:
    """Another size or pixel format in the header, with its checksum put right; or a chunk that expands."""
    data = path.read_bytes()
    header = bytearray(data[16:29])
    how = int(rng.integers(3))
    if how == 0:
        header[0:8] = struct.pack(
            ">II", *(int(rng.choice([0, 1, 9, 300, 30000, 2**31 - 1])) for _ in range(2))
        )
    elif how == 1:
        header[8 + int(rng.integers(5))] = int(rng.choice([0, 1, 2, 3, 4, 6, 8, 16, 99]))
    else:
        text = b"a\0\0" + zlib.compress(b"\0" * int(rng.choice([100, 50_000_000])))
        chunk = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
        path.write_bytes(data[:33] + chunk + data[33:])
        return "text bomb"
    path.write_bytes(
        data[:16] + bytes(header) + struct.pack(">I", zlib.crc32(b"IHDR" + bytes(header))) + data[33:]
    )
    return "header"


def in_safetensors(path: Path, rng: Rng) -> str:
    """Change the header of a weights file, its length or its numbers."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, weights = json.loads(data[8 : 8 + length]), data[8 + length :]
    how = str(rng.choice(["header", "header", "length", "nan", "short"]))
    if how == "header":
        change(header, rng)
    text = dumped(header)
    size = int(rng.choice([0, 2**40, 2**63, len(text) - 1])) if how == "length" else len(text)
    if how == "nan":
        weights = struct.pack("<f", float("nan")) + weights[4:]
    path.write_bytes(struct.pack("<Q", size) + text + (weights[:-8] if how == "short" else weights))
    return how


def tensor(rng: Rng) -> Any:
    """A tensor, or something else, that seldom belongs in a checkpoint."""
    found: list[Callable[[], Any]] = [
        lambda: torch.zeros(3),
        lambda: torch.full((2, 2), torch.nan),
        lambda: torch.zeros(1).expand(100_000, 100_000),
        lambda: torch.zeros((), dtype=torch.complex64),
        lambda: torch.zeros(0),
        lambda: torch.eye(3).to_sparse(),
        lambda: torch.zeros(4, dtype=torch.uint8),
    ]
    if rng.random() < 0.4:
        return found[int(rng.integers(len(found)))]()
    made = value(rng)
    return 10**30 if made == LONG else made


def in_checkpoint(path: Path, rng: Rng) -> str:
    """Change a value anywhere in a checkpoint."""
    content = torch.load(path, weights_only=True)
    part = content
    keys = [key for key in content if isinstance(content[key], dict | list) and content[key]]
    if rng.random() < 0.7:
        part = content[keys[int(rng.integers(len(keys)))]]
        if rng.random() < 0.5 and "visuotactile" in content:
            part = content["visuotactile"]
    how = change(part, rng, tensor)
    torch.save(content, path)
    return how


def in_zip(path: Path, rng: Rng) -> str:
    """Change a member of a ZIP file (a checkpoint, cached features), checksums right, or compress it."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    names = list(members)
    name = names[int(rng.integers(len(names)))]
    how = str(rng.choice(["spoil", "gone", "bomb", "rename", "compress", "more"]))
    if how == "spoil":
        members[name] = spoil(members[name], rng)
    elif how == "gone":
        del members[name]
    elif how == "bomb":
        members[name] += b"\0" * 50_000_000
    elif how == "rename":
        members[str(rng.choice(["../x", "features", "data.pkl", "x" * 300]))] = members.pop(name)
    elif how == "more":
        members["extra"] = rng.bytes(10)
    made = io.BytesIO()
    packed = zipfile.ZIP_DEFLATED if how in ("bomb", "compress") else zipfile.ZIP_STORED
    with zipfile.ZipFile(made, "w", packed) as file:
        for each, data in members.items():
            file.writestr(each, data)
    path.write_bytes(made.getvalue())
    return f"{how} {name}"


def in_array(path: Path, rng: Rng) -> str:
    """An array of another type, shape or value, a pickle, or one that claims more than there is."""
    some: list[Any] = [
        *(
            np.zeros(3),
            np.array([{}], dtype=object),
            np.array("text"),
            np.array([1, 0], "c16"),
            np.zeros((0,)),
        ),
        *(
            np.array([np.nan, 1.0]),
            np.array([7, -7]),
            np.array([1, 0], "S4"),
            np.zeros((2, 1, 1)),
            np.zeros(()),
        ),
    ]
    if rng.random() < 0.3:
        shape = str(
            rng.choice(["(10**12,)", "(2**62, 4)", "(-1,)", "()", "((),)", "[2]", "(" * 300, "(2,) * 9"])
        )
        text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + b"\0" * 16)
        return f"claim {shape[:20]}"
    np.save(path, some[int(rng.integers(len(some)))], allow_pickle=True)
    return "another array"


def in_features(path: Path, rng: Rng) -> str:
    """Cached features of another type, shape or value, or a pickle."""
    some: list[Any] = [
        *(
            np.zeros(3, np.float32),
            np.zeros((3, 2)),
            np.array([{}], dtype=object),
            np.zeros((0, 4), np.float32),
        ),
        *(np.full((8, 4), np.nan, np.float32), np.array("text"), np.zeros((10**7, 4), np.float32)),
    ]
    with open(path, "wb") as file:
        np.savez_compressed(
            file, **{str(rng.choice(["features", "other"])): some[int(rng.integers(len(some)))]}
        )
    return "another array"


def in_video(path: Path, rng: Rng) -> str:
    """Other sizes, rates or lengths in the header of an AVI; or a playlist under its name."""
    data = bytearray(path.read_bytes())
    if rng.random() < 0.2:
        path.write_bytes(
            rng.choice(
                [
                    b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n",
                    b"ffconcat version 1.0\nfile /etc/passwd\n",
                ]
            )
        )
        return "playlist"
    at = int(
        rng.choice([m.start() for m in re.finditer(rb"avih|strh|strf|idx1|movi|00dc", bytes(data))][:40])
    )
    at += 4 + 4 * int(rng.integers(0, 16))
    data[at : at + 4] = struct.pack("<I", int(rng.choice([0, 1, 2**16, 2**31 - 1, 2**32 - 1, 30000])))
    path.write_bytes(bytes(data))
    return "header"
