"""Decision rules on claims: conditions on intervals, written before any result was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.visuotactile_representation.intervals import Figure

HELD, NOT_HELD, UNDECIDED, NOT_RUN = "held", "not held", "not decided", "not run"
MARGIN = 0.03
"""Accuracies that differ by less, in shares, are "comparable"."""
TIMES_CHANCE = 10

Content = Mapping[str, Any]
Evidence = Callable[[Content], dict[str, Figure]]


@dataclass(frozen=True)
class Rule:
    """Condition for a claim to hold: in words, and as a verdict on one interval (low, high)."""

    words: str
    judge: Callable[[float, float], str]


def _three(held: bool, not_held: bool) -> str:
    return HELD if held else NOT_HELD if not_held else UNDECIDED


ABOVE = Rule("the interval lies above 0 (not held: below)", lambda low, high: _three(low > 0, high < 0))
BELOW = Rule("the interval lies below 0 (not held: above)", lambda low, high: _three(high < 0, low > 0))
ALIKE = Rule(
    f"the interval lies within ±{100 * MARGIN:.0f} points (not held: wholly outside)",
    lambda low, high: _three(low >= -MARGIN and high <= MARGIN, low > MARGIN or high < -MARGIN),
)
FAR_ABOVE_CHANCE = Rule(
    f"the interval lies above {TIMES_CHANCE} × chance (not held: below)",
    lambda low, high: _three(low >= TIMES_CHANCE, high < TIMES_CHANCE),
)


@dataclass(frozen=True)
class Claim:
    """One line of the table.

    Attributes:
        text: the claim.
        source: the paper's words or figure; "ours" for a claim of our own.
        part: part of the experiment that gives the evidence.
        evidence: name → figure; the claim holds if its rule holds for each of them.
        rule: rule for each figure.
        shares: figures are shares, written in percent.
    """

    text: str
    source: str
    part: str
    evidence: Evidence
    rule: Rule
    shares: bool = True

    def verdict(self, found: Sequence[Figure]) -> str:
        """`HELD` if the rule holds for all figures, `NOT_HELD` if it fails for one, else `UNDECIDED`."""
        if any(each["low"] is None or each["high"] is None for each in found):
            return UNDECIDED
        verdicts = [self.rule.judge(each["low"], each["high"]) for each in found]
        return HELD if set(verdicts) == {HELD} else NOT_HELD if NOT_HELD in verdicts else UNDECIDED
