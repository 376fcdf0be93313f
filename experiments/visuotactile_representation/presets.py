"""Sizes of the experiment: the paper's, an hour on two CPU cores, and a smoke test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from visuotactile.configs import FOLDER as CONFIGS
from visuotactile.training.runs import Changes

RESNET, VIT = "ResNet", "ViT"


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """One kind of encoder, for both modalities.

    Attributes:
        name: timm's.
        size: of its images, in pixels.
        classifier_lr: learning rate at the start, for classification.
        joint_lr: the same for joint spaces; both fall exponentially to a tenth.
        pretrained: start from timm's weights.
        precision: precision of its training, if other than the preset's.
    """

    name: str
    size: int
    classifier_lr: float
    joint_lr: float
    pretrained: bool = False
    precision: str | None = None

    def changes(self, lr: float) -> dict[str, Any]:
        """Changes of a configuration with the branches sight and touch."""
        found: dict[str, Any] = {
            "model.init_args.optimizer.lr": lr,
            "model.init_args.optimizer.final_lr": lr / 10,
        }
        if self.precision is not None:
            found["trainer.precision"] = self.precision
        for modality in ("sight", "touch"):
            found |= {
                f"model.init_args.branches.{modality}.backbone": self.name,
                f"model.init_args.branches.{modality}.contract.size": self.size,
                f"model.init_args.branches.{modality}.pretrained": self.pretrained,
            }
        return found


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Sizes and configurations.

    Attributes:
        connector_size: side of the connectors' images, in pixels.
        backbones: ResNet and ViT, as the paper calls them.
        classifier: configuration of the classifiers.
        classifier_changes: changes of that configuration.
        classifier_seeds: number of networks of each kind.
        occluded_backbones: backbones of the classifiers that are also trained with occlusions.
        attention: width and heads of the cross-modal attention.
        joint: configuration of the joint spaces.
        joint_changes: changes of that configuration.
        joint_seeds: number of networks of each kind, including those of the queue and of the grasps.
        queue_batches: batch sizes at which the queue is compared with in-batch negatives.
        queue_changes: changes of the configuration for the queue.
        map_points: maximum number of points of each t-SNE panel, half of them touch.
        grasps: number of simulated grasps, each with two states in contact.
        camera_size: side of the grasps' camera image, in pixels.
        grasp_backbone: timm's name of the backbone of either modality of the grasps.
        grasp_size: side of its images, in pixels.
        cross_modal_grasps: configuration of the pretraining with camera and touch.
        moco: configuration of the pretraining with touch alone.
        pretraining_steps: steps of either, so that both touch encoders see the same number of touch images.
        predictor: configuration of the grasp predictor.
        predictor_steps: training steps of the grasp predictor.
        everywhere: changes of every configuration.
    """

    connector_size: int
    backbones: Mapping[str, Backbone]
    classifier: Path
    classifier_changes: Changes
    classifier_seeds: int
    occluded_backbones: tuple[str, ...]
    attention: Mapping[str, int]
    joint: Path
    joint_changes: Changes
    joint_seeds: int
    queue_batches: tuple[int, ...] = (16, 64, 256)
    queue_changes: Changes = field(
        default_factory=lambda: {"model.init_args.queue_size": 1024, "model.init_args.key_momentum": 0.99}
    )
    map_points: int = 1280
    grasps: int
    camera_size: int
    grasp_backbone: str
    grasp_size: int
    cross_modal_grasps: Path = CONFIGS / "laptop" / "cross_modal_grasps.yaml"
    moco: Path = CONFIGS / "laptop" / "moco.yaml"
    pretraining_steps: int
    predictor: Path = CONFIGS / "laptop" / "predictor.yaml"
    predictor_steps: int
    everywhere: Changes = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """The preset as JSON values; paths are relative to the folder of configurations."""
        return {name: _json(value) for name, value in asdict(self).items()}


def _json(value: Any) -> Any:
    if isinstance(value, Path):
        return value.relative_to(CONFIGS).as_posix()
    if isinstance(value, Mapping):
        return {name: _json(each) for name, each in value.items()}
    return [_json(each) for each in value] if isinstance(value, tuple) else value


PRESETS = {
    "paper": Preset(
        connector_size=224,
        backbones={
            RESNET: Backbone(name="resnet50", size=224, classifier_lr=1e-4, joint_lr=1e-4, pretrained=True),
            VIT: Backbone(
                name="vit_base_patch16_224", size=224, classifier_lr=1e-5, joint_lr=1e-5, pretrained=True
            ),
        },
        classifier=CONFIGS / "classifier.yaml",
        classifier_changes={"trainer.max_epochs": 50},
        classifier_seeds=3,
        occluded_backbones=(RESNET, VIT),
        attention={"width": 256, "heads": 4},
        joint=CONFIGS / "cross_modal.yaml",
        joint_changes={"trainer.max_epochs": 50},
        joint_seeds=3,
        grasps=4000,
        camera_size=224,
        grasp_backbone="resnet18",
        grasp_size=96,
        pretraining_steps=4000,
        predictor_steps=2000,
    ),
    "laptop": Preset(
        connector_size=128,
        backbones={
            RESNET: Backbone(name="test_resnet", size=64, classifier_lr=2e-3, joint_lr=1e-3),
            # bfloat16 makes convolutions 1.6 times as fast on a CPU that has it, and the small ViT slower.
            VIT: Backbone(name="test_vit", size=96, classifier_lr=1e-3, joint_lr=1e-3, precision="32-true"),
        },
        classifier=CONFIGS / "laptop" / "classifier.yaml",
        classifier_changes={"trainer.max_epochs": 8},
        classifier_seeds=3,
        occluded_backbones=(RESNET,),
        attention={"width": 64, "heads": 4},
        joint=CONFIGS / "laptop" / "cross_modal.yaml",
        joint_changes={"trainer.max_epochs": 30, "model.init_args.temperature": 0.07},
        joint_seeds=2,
        grasps=1000,
        camera_size=96,
        grasp_backbone="test_resnet",
        grasp_size=64,
        pretraining_steps=600,
        predictor_steps=400,
        everywhere={"trainer.precision": "bf16-mixed"},
    ),
    # A smoke test: every part once.
    "smoke": Preset(
        connector_size=32,
        backbones={
            RESNET: Backbone(name="test_resnet", size=32, classifier_lr=2e-3, joint_lr=1e-3),
            VIT: Backbone(name="test_vit", size=32, classifier_lr=1e-3, joint_lr=1e-3),
        },
        classifier=CONFIGS / "laptop" / "classifier.yaml",
        classifier_changes={"trainer.max_epochs": 1, "trainer.limit_train_batches": 3},
        classifier_seeds=1,
        occluded_backbones=(RESNET,),
        attention={"width": 16, "heads": 2},
        joint=CONFIGS / "laptop" / "cross_modal.yaml",
        joint_changes={"trainer.max_epochs": 1, "trainer.limit_train_batches": 3},
        joint_seeds=1,
        queue_batches=(16, 64),
        map_points=200,
        grasps=60,
        camera_size=32,
        grasp_backbone="test_resnet",
        grasp_size=32,
        pretraining_steps=1,
        predictor_steps=3,
    ),
}
