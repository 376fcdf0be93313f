"""Random views of recorded images, as a network expects them: drawn per sample, computed per batch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from visuotactile.encoders.branch import Augmentation, Drawn
from visuotactile.encoders.contract import InputContract, fit, normalise, prepare, signed_pixels
from visuotactile.errors import ContractError


class RandomViews:
    """Views of the recordings that a contract describes.

    Args:
        contract: input of the network.
        augmentation: difference of a view from the recording; None gives `encoders.contract.prepare`, and
            draws nothing from the generator.

    Attributes:
        side: to which images are best resized on reading, as there is then no second resampling.

    Raises:
        ContractError: the augmentation does not suit the contract.
    """

    def __init__(self, contract: InputContract, augmentation: Augmentation | None = None) -> None:
        if augmentation is not None and contract.kind not in augmentation.kinds:
            raise ContractError(
                f"{type(augmentation).__name__} augments {' and '.join(augmentation.kinds)} inputs, found a "
                f"{contract.kind}; give augmentation=None"
            )
        self.contract, self.augmentation = contract, augmentation
        self.side = contract.size if augmentation is None else augmentation.side(contract)
        if augmentation is not None:
            augmentation.check(contract)

    def __call__(
        self,
        images: Tensor,
        references: Tensor | None,
        generator: torch.Generator,
        count: int = 1,
        rank: int = 0,
        world: int = 1,
    ) -> list[Tensor]:
        """Views of this rank's share (every `world`-th sample) of a joined batch.

        Parameters are drawn on the CPU for the joined batch and applied sample by sample, so that its samples
        get the same views however many processes share it. (Noise alone is made on the device, from a seed of
        each sample: a GPU's differs from a CPU's.)

        Args:
            images: uint8 `[B, H, W, 3]` on any device; sounds int16 `[B, samples, microphones]`.
            references: alike, where the contract has a reference, or None.
            generator: a CPU generator, in the same state on every rank.
            count: number of views.
            rank, world: of this process, and the number of processes.

        Returns:
            `count` float32 `[B, 3, size, size]` on the same device, whatever the precision of the training
            around it.

        Raises:
            ContractError: as `prepare`.
        """
        if self.augmentation is None:
            return [prepare(self.contract, images, references)] * count
        shape = (images.shape[1], images.shape[2])
        drawn = [
            self.augmentation.draw(self.contract, len(images) * world, shape, generator) for _ in range(count)
        ]
        own = [take(one, slice(rank, None, world)) for one in drawn]
        with torch.autocast(images.device.type, enabled=False):
            return self.augmentation.views(self.contract, images, references, own)


class PairedAugmentation(Augmentation):
    """Base of the augmentations that keep what pairs an image with those of other modalities.

    Nothing is mirrored, and no part of an image moves by more than the pose may be uncertain.
    """

    @abstractmethod
    def draw_paired(self, count: int, generator: torch.Generator) -> Drawn:
        """The parameters of one view of `count` images, each `[count, …]` on the CPU."""

    @abstractmethod
    def change(self, pixels: Tensor, drawn: Drawn, limits: tuple[float, float]) -> None:
        """Turn float pixels `[B, C, S, S]` within `limits` into their views, in place."""

    def draw(
        self, contract: InputContract, count: int, shape: tuple[int, int], generator: torch.Generator
    ) -> Drawn:
        """See `Augmentation`."""
        return self.draw_paired(count, generator)

    def views(
        self,
        contract: InputContract,
        images: Tensor,
        references: Tensor | None,
        drawn: Sequence[Drawn],
    ) -> list[Tensor]:
        """See `Augmentation`."""
        pixels = fit(contract, signed_pixels(contract, images, references))
        limits = (-1.0 if contract.difference else 0.0, 1.0)
        views = []
        for one in drawn:
            view = pixels.clone() if len(drawn) > 1 else pixels
            self.change(view, one, limits)
            views.append(normalise(contract, view))
        return views


def take(drawn: Drawn, chosen: slice) -> Drawn:
    """The parameters of some of the samples."""
    return {name: values[chosen] for name, values in drawn.items()}


def check_probability(name: str, value: float) -> None:
    """Raise `ContractError` unless `value` is a share of the samples."""
    if not 0 <= value <= 1:
        raise ContractError(f"{name} is a probability, expected 0 to 1, found {value}")
