"""Supervised classification of objects from sight, touch or both."""

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
