"""From the recorded images of one modality to views of them, as its encoder expects them."""

from __future__ import annotations

import torch
from torch import Tensor

from visuotactile.encoders.contract import InputContract, fit, normalise, prepare, signed_pixels
from visuotactile.errors import ContractError
from visuotactile.views.sight import SightAugmentation
from visuotactile.views.touch import TouchAugmentation

Augmentation = SightAugmentation | TouchAugmentation


class ModalityViews:
    """Views of one modality under its contract: noise, crop and occlusion of sight, turns and masks of touch.

    A view keeps what pairs an image with those of other modalities: nothing is mirrored, and no part of it
    moves by more than the pose may be uncertain. Modalities are drawn for independently.

    Args:
        contract: what the encoder expects.
        augmentation: how a view differs from its image; None gives `encoders.contract.prepare`, and draws
            nothing from the generator.

    Attributes:
        side: to which images are best resized on reading, as there is then no second resampling.

    Raises:
        ContractError: masks are asked to grow or shrink, but the contract subtracts a reference.
    """

    def __init__(self, contract: InputContract, augmentation: Augmentation | None = None) -> None:
        self.contract, self.augmentation, self.side = contract, augmentation, contract.size
        difference = contract.reference is not None
        if difference and isinstance(augmentation, TouchAugmentation) and augmentation.p_morphology:
            raise ContractError(
                f"the contract subtracts phase {contract.reference!r}, and a difference is no contact mask "
                "that could grow or shrink; give p_morphology=0"
            )
        self._range = (-1.0 if difference else 0.0, 1.0)

    def __call__(
        self,
        images: Tensor,
        references: Tensor | None,
        generator: torch.Generator,
        rank: int = 0,
        world: int = 1,
    ) -> Tensor:
        """One view of this rank's share (every `world`-th sample) of a joined batch.

        What is random is drawn on the CPU for the joined batch and computed sample by sample, so that its
        samples get the same views however many processes share it. (Noise alone is made on the device, from a
        seed of each sample: a GPU's differs from a CPU's.)

        Args:
            images: uint8 `[B, H, W, 3]` on any device.
            references: alike, where the contract has a reference, or None.
            generator: a CPU generator, in the same state on every rank.
            rank, world: of this process, and how many there are.

        Returns:
            float32 `[B, 3, size, size]` on the same device, whatever the precision of the training around it.

        Raises:
            ContractError: as `prepare`.
        """
        if self.augmentation is None:
            return prepare(self.contract, images, references)
        drawn = self.augmentation.draw(len(images) * world, generator)
        own = {name: values[rank::world] for name, values in drawn.items()}
        with torch.autocast(images.device.type, enabled=False):
            pixels = fit(self.contract, signed_pixels(self.contract, images, references))
            self.augmentation.apply(pixels, own, self._range)
            return normalise(self.contract, pixels)
