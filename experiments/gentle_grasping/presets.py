"""Sizes of the experiment: under an hour on a laptop's core, and a smoke test."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Sizes.

    Attributes:
        grasps: number of grasps of the toy, three state–action pairs each.
        camera_size: side of the camera's picture, in pixels.
        camera_input, touch_input: side to which a frozen encoder's pictures are resized.
        folds: folds of the cross-validation.
        seeds: networks of each row and fold: weights, order of the batches, grasps held out to calibrate.
        width: width of the action networks and of the fusion layer.
        passes: passes over the training side.
        budgets: labelled grasps of the label budget.
        budget_seeds: draws of these grasps.
        pretraining_epochs: epochs of cross-modal pretraining.
        networks: networks of each policy's ensemble.
        episodes: episodes of each policy on the toy.
        unseen: episodes of each policy on each unseen object.
        unseen_objects: number of the unseen objects played; None for all.
        end_to_end_steps: steps of a network that is trained end to end.
    """

    grasps: int
    camera_size: int
    camera_input: int
    touch_input: int
    folds: int = 5
    seeds: int = 2
    width: int = 256
    passes: int = 30
    budgets: tuple[int, ...] = (100, 300, 1000)
    budget_seeds: int = 3
    pretraining_epochs: int = 20
    networks: int = 2
    episodes: int = 100
    unseen: int = 20
    unseen_objects: int | None = 10
    end_to_end_steps: int = 1500


PRESETS = {
    "laptop": Preset(
        grasps=1500, camera_size=112, camera_input=224, touch_input=128, seeds=1, passes=10, networks=1
    ),
    # Every part once, in some minutes.
    "smoke": Preset(
        grasps=60,
        camera_size=64,
        camera_input=32,
        touch_input=32,
        folds=2,
        seeds=1,
        width=32,
        passes=2,
        budgets=(20,),
        budget_seeds=1,
        pretraining_epochs=1,
        networks=1,
        episodes=2,
        unseen=1,
        unseen_objects=2,
        end_to_end_steps=4,
    ),
}
