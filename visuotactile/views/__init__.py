"""Random views of one modality's images: what each sense may get wrong while a pair keeps its meaning."""

from visuotactile.views.modality import Augmentation, ModalityViews
from visuotactile.views.sight import SightAugmentation
from visuotactile.views.touch import TouchAugmentation

__all__ = ["Augmentation", "ModalityViews", "SightAugmentation", "TouchAugmentation"]
