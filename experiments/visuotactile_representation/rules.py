"""When a claim is held: rules over intervals, written before any result was seen."""

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
    """When a claim is held: in words, and for one interval (low, high)."""

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
        text: what is claimed.
        source: the paper's words or figure; "ours" where the paper does not say.
        part: of the experiment, whose content is the evidence.
        evidence: name → figure; the claim is held where it is held for each of them.
        rule: applied to each.
        shares: whether figures are shares, written in percent.
    """

    text: str
    source: str
    part: str
    evidence: Evidence
    rule: Rule
    shares: bool = True

    def verdict(self, found: Sequence[Figure]) -> str:
        """Held for all, not held for some, or else not decided."""
        if any(each["low"] is None or each["high"] is None for each in found):
            return UNDECIDED
        said = [self.rule.judge(each["low"], each["high"]) for each in found]
        return HELD if set(said) == {HELD} else NOT_HELD if NOT_HELD in said else UNDECIDED
