"""Numbers estimated from clips of touch, such as the hardness of a pressed sample, each with an interval."""

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
