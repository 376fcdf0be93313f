"""Which object is it, from sight, from touch, or from both: classification, and what each modality adds."""

from visuotactile.classification.attention import Attention
from visuotactile.classification.classifier_file import load_classifier
from visuotactile.classification.module import ClassifierModule, ExponentialDecay
from visuotactile.classification.network import Branch, Classifier

__all__ = [
    "Attention",
    "Branch",
    "Classifier",
    "ClassifierModule",
    "ExponentialDecay",
    "load_classifier",
]
