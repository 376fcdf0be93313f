"""Which object is it, from sight, from touch, or from both: classification, and what each modality adds."""

from visuotactile.supervised.attention import Attention
from visuotactile.supervised.classifier_file import load_classifier
from visuotactile.supervised.module import ClassifierModule
from visuotactile.supervised.network import Classifier

__all__ = [
    "Attention",
    "Classifier",
    "ClassifierModule",
    "load_classifier",
]
