"""Numbers estimated from clips of touch, such as the hardness of a pressed sample, each with an interval.

Names are imported on first use, so that `estimate hardness` does not wait for what only training needs.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visuotactile.estimation.contact_mechanics import ContactMechanics
    from visuotactile.estimation.estimator import Estimates, Estimator, Known
    from visuotactile.estimation.features import FrozenFeatures
    from visuotactile.estimation.file import load_estimator, save_estimator
    from visuotactile.estimation.module import ClipModule
    from visuotactile.estimation.network import EndToEnd

__all__ = [
    "ClipModule",
    "ContactMechanics",
    "EndToEnd",
    "Estimates",
    "Estimator",
    "FrozenFeatures",
    "Known",
    "load_estimator",
    "save_estimator",
]

_MODULES = {
    "contact_mechanics": ("ContactMechanics",),
    "estimator": ("Estimates", "Estimator", "Known"),
    "features": ("FrozenFeatures",),
    "file": ("load_estimator", "save_estimator"),
    "module": ("ClipModule",),
    "network": ("EndToEnd",),
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names."""
    return __all__
