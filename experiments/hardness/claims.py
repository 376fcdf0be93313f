"""Claims of the experiment and the rules by which they are held, written before any result was seen.

Figures are the RMSE in percent of the range of log10 modulus in the store, on presses of unseen samples, with
a 95 % interval over those samples. The estimators of a claim are named with it: each has its own verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from experiments.hardness.presets import ADAPTED, AUTOENCODER, END_TO_END

HELD, NOT_HELD, UNDECIDED, NOT_RUN = "held", "not held", "not decided", "not run"

MECHANICS = "contact mechanics"
SELF_SUPERVISED = f"{AUTOENCODER}, ridge"
"""The self-supervised row of the claims. MoCo's crops teach that a firm contact is a light one; it is a row
of its own."""

KNOWN, UNKNOWN = "radius known", "radius unknown"


@dataclass(frozen=True)
class Rule:
    """Condition on an interval, in words, and as a verdict."""

    words: str
    judge: Callable[[float, float, float], str]
    """Verdict on (value, low, high)."""


def at_most(percent: float) -> Rule:
    """The figure is at most so many percent of the range."""

    def judge(value: float, low: float, high: float) -> str:
        return HELD if high <= percent else NOT_HELD if low > percent else UNDECIDED

    return Rule(f"the interval ends at or below {percent:g} % (not held: begins above it)", judge)


def within(low_end: float, high_end: float) -> Rule:
    """The figure itself, a share in percent, lies between two ends."""

    def judge(value: float, low: float, high: float) -> str:
        return HELD if low_end <= value <= high_end else NOT_HELD

    return Rule(f"the share lies between {low_end:g} and {high_end:g} %", judge)


def _below(value: float, low: float, high: float) -> str:
    return HELD if high < 0 else NOT_HELD if low > 0 else UNDECIDED


BELOW = Rule("the interval of the difference lies below 0 (not held: above)", _below)


@dataclass(frozen=True)
class Claim:
    """One line of the table.

    Attributes:
        text: the claim.
        source: its origin.
        part: part of the experiment with the evidence: splits, shapes or budgets.
        rows: keys of the rows in that part, each judged on its own.
        figure: name of the figure in a row.
        rule: the rule.
    """

    text: str
    source: str
    part: str
    rows: tuple[str, ...]
    figure: str
    rule: Rule


def key(split: str, estimator: str, known: str) -> str:
    """Key of a row of predictions."""
    return f"{split} | {estimator} | {known}"


def gain(budget: int, other: str) -> str:
    """Key of the self-supervised row's difference to another at a budget."""
    return f"{budget} presses | {SELF_SUPERVISED} − {other}"


ESTIMATORS = (MECHANICS, SELF_SUPERVISED)

CLAIMS = (
    Claim(
        "unseen samples, radius known: RMSE at most 4 %",
        "Yuan et al. 2016: about 4 %",
        "splits",
        tuple(key("sample", estimator, KNOWN) for estimator in ESTIMATORS),
        "rmse_share",
        at_most(4),
    ),
    *(
        Claim(
            f"unseen {split}, radius known: RMSE at most 7 %",
            "ours",
            "splits",
            tuple(key(split, estimator, KNOWN) for estimator in ESTIMATORS),
            "rmse_share",
            at_most(7),
        )
        for split in ("radius", "level", "sensor")
    ),
    Claim(
        "unseen samples, radius unknown: RMSE at most 13 %",
        "ours; a Hertz contact tells R/E*, not E",
        "splits",
        tuple(key("sample", estimator, UNKNOWN) for estimator in ESTIMATORS),
        "rmse_share",
        at_most(13),
    ),
    Claim(
        "unseen families of shapes: RMSE at most 16 %",
        "Yuan et al. 2017: R² 0.79, RMSE 11.1 Shore 00",
        "shapes",
        (key("family", SELF_SUPERVISED, UNKNOWN),),
        "rmse_share",
        at_most(16),
    ),
    *(
        Claim(
            f"{budget} labelled presses: self-supervised features beat {other}",
            "ours",
            "budgets",
            (gain(budget, other),),
            "rmse_share",
            BELOW,
        )
        for budget in (50, 200)
        for other in (f"{ADAPTED}, ridge", END_TO_END)
    ),
    Claim(
        "stated intervals of 90 % hold 85 to 95 % of presses of unseen samples",
        "ours",
        "splits",
        tuple(key("sample", estimator, known) for estimator in ESTIMATORS for known in (KNOWN, UNKNOWN)),
        "coverage",
        within(85, 95),
    ),
)
