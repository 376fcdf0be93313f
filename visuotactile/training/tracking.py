"""Weights & Biases: optional, and offline unless the user has logged in."""

from __future__ import annotations

import os

from visuotactile.errors import ContractError


def wandb_mode() -> str:
    """`WANDB_MODE` if it is set; else "online" if the user has logged in, or "offline".

    Raises:
        ContractError: wandb is not installed.
    """
    try:
        import wandb
    except ImportError:
        raise ContractError(
            'wandb is not installed; pip install "visuotactile[wandb]", or do without'
        ) from None
    chosen = os.environ.get("WANDB_MODE")
    return chosen or ("online" if wandb.login(prompt=False, verify=False) else "offline")
