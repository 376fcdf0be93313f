"""Self-supervised pretraining: one file for each method, beside losses, banks and momentum."""

from visuotactile.ssl.autoencoder import Autoencoder
from visuotactile.ssl.cross_modal import CrossModal
from visuotactile.ssl.memory_bank import MemoryBank
from visuotactile.ssl.moco import MoCo
from visuotactile.ssl.siamese import BYOL, BarlowTwins, SimCLR, SimSiam, VICReg
from visuotactile.ssl.triplet import Triplet

__all__ = [
    "BYOL",
    "Autoencoder",
    "BarlowTwins",
    "CrossModal",
    "MemoryBank",
    "MoCo",
    "SimCLR",
    "SimSiam",
    "Triplet",
    "VICReg",
]
