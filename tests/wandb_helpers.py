"""Reading what a W&B run has written offline."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any


def records(file: Path) -> list[Any]:
    """The records of an offline run's log: LevelDB's format, 32 KiB blocks of pieces with 7-byte headers."""
    from wandb.proto import wandb_internal_pb2

    data, place, whole, found = file.read_bytes(), 7, b"", list[Any]()
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole record, or the last piece of one
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            found.append(record)
            whole = b""
    return found


def history(file: Path) -> list[dict[str, Any]]:
    """Logged steps of a run, each name → value; raises `AssertionError` where one names a column twice."""
    steps = []
    for record in records(file):
        if record.WhichOneof("record_type") == "history":
            items = [(".".join(item.nested_key) or item.key, item.value_json) for item in record.history.item]
            assert len({name for name, _ in items}) == len(items), items
            steps.append({name: json.loads(value) for name, value in items})
    return steps


def config(file: Path) -> dict[str, Any]:
    """Hyperparameters of a run."""
    found = {}
    for record in records(file):
        for part in (record.run.config, record.config):
            found |= {
                ".".join(each.nested_key) or each.key: json.loads(each.value_json) for each in part.update
            }
    return found
