"""The autoencoder, the paper's baseline."""

from __future__ import annotations

import contextlib
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.utils import make_grid, save_image

from visuotactile.datasets.batches import Batch
from visuotactile.encoders.branch import recorded
from visuotactile.encoders.contract import prepare
from visuotactile.ssl.module import SelfSupervised

SHOWN = 8  # images in the picture of reconstructions


class Autoencoder(SelfSupervised):
    """Autoencoder whose bottleneck is the backbone's pooled features; a decoder reconstructs the view.

    After each epoch a picture of inputs (above) and reconstructions (below) is written to the run's
    folder and, if the logger takes images, logged.
    """

    method = "autoencoder"

    def build(self) -> None:
        """Make a decoder of the contract's size."""
        self.decoder = Decoder(self.network.width, self.network.contract.size)

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Mean squared error between the normalised view and its reconstruction."""
        view = self.one_view(batch, generator)
        features = self.network(view)
        return F.mse_loss(self.decoder(features).float(), view), features

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect features and, from the first batch, draw the reconstructions."""
        super().validation_step(batch, batch_idx)
        if batch_idx == 0 and self.trainer.is_global_zero and not self.trainer.sanity_checking:
            shown = {name: value[:SHOWN] for name, value in batch.items()}
            images = prepare(self.network.contract, *recorded(shown, self.network.contract))
            self._draw(images, self.decoder(self.network(images)).float())

    def _draw(self, images: Tensor, rebuilt: Tensor) -> None:
        grid = make_grid(torch.cat([images, rebuilt]), nrow=len(images), normalize=True, value_range=(-3, 3))
        folder = Path(self.trainer.default_root_dir) / "reconstructions"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"epoch-{self.current_epoch:04d}.png"
        save_image(grid, path)
        for logger in self.loggers:
            if hasattr(logger, "log_image"):
                with contextlib.suppress(NotImplementedError):
                    logger.log_image("reconstructions", [str(path)], step=self.global_step)


class Decoder(nn.Sequential):
    """Features `[B, D]` → images `[B, 3, size, size]`: a small map, upsampled and convolved."""

    def __init__(self, width: int, size: int, channels: int = 256) -> None:
        doublings, side = 0, size
        while side > 7:
            side, doublings = -(-side // 2), doublings + 1
        layers: list[nn.Module] = [
            nn.Linear(width, channels * side * side),
            nn.Unflatten(1, (channels, side, side)),
        ]
        for _ in range(doublings):
            after = max(16, channels // 2)
            layers += [
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv2d(channels, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
            channels = after
        super().__init__(*layers, nn.Conv2d(channels, 3, 3, padding=1))
        self.size = size

    def forward(self, features: Tensor) -> Tensor:
        """Reconstruct, and crop where the size is no power of two times that of the first map."""
        for layer in self:
            features = layer(features)
        return features[..., : self.size, : self.size]
