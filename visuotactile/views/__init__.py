"""Random views of each sense: contrastive ones of one sense, and ones that keep a pair's meaning."""

from visuotactile.views.contrastive import ContrastiveAugmentation
from visuotactile.views.random_views import RandomViews
from visuotactile.views.sight import SightAugmentation
from visuotactile.views.sound import SoundAugmentation
from visuotactile.views.touch import TouchAugmentation

__all__ = [
    "ContrastiveAugmentation",
    "RandomViews",
    "SightAugmentation",
    "SoundAugmentation",
    "TouchAugmentation",
]
