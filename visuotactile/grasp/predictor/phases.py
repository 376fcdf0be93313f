"""Phases that a predictor may look at: those before the action whose outcome it predicts."""

from __future__ import annotations

from visuotactile.encoders.contract import InputContract
from visuotactile.errors import ContractError

INPUT_PHASES = ("before", "during")
"""Moments before the action. The first millimetres of lifting come after it."""


def check_inputs(contract: InputContract) -> None:
    """Raise `ContractError` if a network with this contract looks at a phase after the action."""
    for phase in (contract.phase, contract.reference):
        if phase is not None:
            check_phase(phase)


def check_phase(phase: str) -> None:
    """Raise `ContractError` if the phase comes after the action whose outcome is predicted."""
    if phase not in INPUT_PHASES:
        raise ContractError(
            f"phase {phase!r} comes after the action whose outcome is predicted; "
            f"a predictor may look at {' and '.join(INPUT_PHASES)}"
        )
