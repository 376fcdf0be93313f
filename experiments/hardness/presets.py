"""Sizes of the experiment: a GPU's, forty minutes on one busy CPU core, and a smoke test."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from visuotactile.training.runs import Changes

AUTOENCODER, MOCO = "autoencoder", "moco"
UNTRAINED, ADAPTED, IMAGENET = "untrained", "untrained, adapted", "ImageNet"
END_TO_END = "end to end"


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Sizes and configurations.

    Attributes:
        balls: presses on the sixty hemispheres.
        shapes: presses on every shape, textured, oblique and rolling, up to 87 Shore 00.
        frames: frames of each clip.
        units: sensor units of each store, none of them in both.
        configs: folder of the pretraining configurations, before their names.
        pretraining: changes of them.
        shapes_pretraining: further ones, of encoders for the shapes.
        backbone: timm's name of the encoders' network.
        size: side of their images, in pixels.
        imagenet_size: side of the images for ImageNet's weights.
        encoders: frozen encoders of the label budgets.
        folds: folds by sample.
        heads: heads over frozen features in the split by sample, beside ridge.
        budgets: labelled presses; None for all of the training side.
        draws: draws of the labelled presses at each budget.
        end_to_end: configuration of the end-to-end network.
        end_to_end_changes: changes of it.
        end_to_end_budgets: the budgets at which it is trained, since each is a training of its own.
        oracle: presses for which the oracle weighs the pictures.
    """

    balls: int
    shapes: int
    frames: int = 12
    units: int = 8
    configs: str
    pretraining: Changes
    shapes_pretraining: Changes = field(default_factory=dict)
    backbone: str
    size: int
    imagenet_size: int
    encoders: tuple[str, ...] = (AUTOENCODER, UNTRAINED, ADAPTED, IMAGENET, MOCO)
    folds: int = 5
    heads: tuple[str, ...] = ("gru",)
    budgets: tuple[int | None, ...] = (50, 100, 200, None)
    draws: int = 3
    end_to_end: str
    end_to_end_changes: Changes = field(default_factory=dict)
    end_to_end_budgets: tuple[int | None, ...] = (50, 200, None)
    oracle: int

    def settings(self) -> dict[str, Any]:
        """The preset as JSON values."""
        return asdict(self)


def _pretraining(backbone: str, size: int, steps: int) -> dict[str, Any]:
    return {
        "model.init_args.branch.backbone": backbone,
        "model.init_args.branch.contract.streams": ["tactile"],
        "model.init_args.branch.contract.size": size,
        "data.init_args.image_size": size + size // 8,
        "trainer.max_epochs": -1,
        "trainer.max_steps": steps,
    }


PRESETS = {
    "paper": Preset(
        balls=7200,
        shapes=16900,
        units=40,
        configs="",
        pretraining=_pretraining("resnet50", 112, 20000),
        backbone="resnet50",
        size=112,
        imagenet_size=224,
        heads=("gru", "attention"),
        budgets=(50, 100, 200, 500, 1000, None),
        draws=5,
        end_to_end="hardness",
        end_to_end_changes={"trainer.max_epochs": -1, "trainer.max_steps": 4000},
        end_to_end_budgets=(50, 200, 1000, None),
        oracle=600,
    ),
    "laptop": Preset(
        balls=720,
        shapes=1014,
        configs="laptop/",
        pretraining=_pretraining("test_resnet", 48, 300),
        shapes_pretraining={"trainer.max_steps": 100},
        backbone="test_resnet",
        size=48,
        imagenet_size=96,
        encoders=(AUTOENCODER, UNTRAINED, ADAPTED, IMAGENET),
        heads=(),
        end_to_end="laptop/hardness",
        end_to_end_budgets=(50,),
        # as many steps at every budget, or 50 presses would be learned from for 90 steps
        end_to_end_changes={
            "trainer.max_epochs": -1,
            "trainer.max_steps": 200,
            "model.init_args.branch.contract.size": 48,
        },
        oracle=60,
    ),
    # A smoke test: every part once.
    "smoke": Preset(
        balls=120,
        shapes=78,
        frames=5,
        units=3,
        configs="laptop/",
        pretraining=_pretraining("test_resnet", 32, 2) | {"data.init_args.batch_size": 16},
        backbone="test_resnet",
        size=32,
        imagenet_size=32,
        folds=2,
        heads=(),
        budgets=(50, None),
        draws=1,
        end_to_end="laptop/hardness",
        end_to_end_budgets=(),
        oracle=2,
    ),
}
