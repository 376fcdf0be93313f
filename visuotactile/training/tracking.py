"""Weights & Biases, where it is asked for: offline unless the user has logged in, and silent."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from visuotactile.files import write_text

PROJECT = "visuotactile"
RUN_ID = Path("wandb") / "run-id"


def wandb_mode() -> str:
    """`WANDB_MODE` if it is set; else "online" if the user has logged in, or "offline"."""
    import wandb

    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_CONSOLE", "off")
    chosen = os.environ.get("WANDB_MODE")
    return chosen or ("online" if wandb.login(prompt=False, verify=False) else "offline")


def finish() -> None:
    """End the W&B run of this process, if there is one, so that a further one is not taken for its rest."""
    wandb = sys.modules.get("wandb")
    if wandb is not None and wandb.run is not None:
        wandb.finish()


def run_id(folder: Path) -> str:
    """The id of a folder's run, drawn when it is first asked for: a resumed run goes on under it."""
    path = folder / RUN_ID
    if not path.is_file():
        write_text(path, secrets.token_hex(4) + "\n")
    return path.read_text(encoding="utf-8").strip()
