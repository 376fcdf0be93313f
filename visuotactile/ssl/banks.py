"""Stores of past features: a queue of keys (MoCo), and a bank with one entry for each sample.

Both are buffers, so that a checkpoint contains them. Score first and store afterwards (`enqueue`, `update`),
or the positive is among the negatives.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visuotactile.errors import ContractError

EMPTY = -1  # recording number of a slot that has not been filled


class KeyQueue(nn.Module):
    """Ring buffer of the last `size` keys and the recordings they came from (He et al. 2020).

    Attributes:
        keys: float `[size, width]`, of length one once filled.
        recordings: int64 `[size]`, `EMPTY` where no key has been stored yet.
        cursor: int64, the slot to be written next.
    """

    keys: Tensor
    recordings: Tensor
    cursor: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        if size < 1:
            raise ContractError(
                f"queue_size is {size}; expected 1 or more, such as the number of training images"
            )
        self.register_buffer("keys", torch.zeros(size, width))
        self.register_buffer("recordings", torch.full((size,), EMPTY))
        self.register_buffer("cursor", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def enqueue(self, keys: Tensor, recordings: Tensor) -> None:
        """Overwrite the oldest keys with `[N, width]` of `recordings [N]`; any N wraps around the end."""
        size = len(self.keys)
        keys, recordings = keys[-size:], recordings[-size:]
        places = (self.cursor + torch.arange(len(keys), device=self.keys.device)) % size
        self.keys[places] = keys.to(self.keys.dtype)
        self.recordings[places] = recordings
        self.cursor.copy_((self.cursor + len(keys)) % size)

    def allowed(self, recordings: Tensor, mask_recording: bool) -> Tensor:
        """Mask bool `[N, size]` of the slots that are negatives of N queries.

        They are filled and, with `mask_recording`, of another recording than the query's in `recordings [N]`.
        """
        filled = self.recordings != EMPTY
        if not mask_recording:
            return filled.expand(len(recordings), -1)
        return filled & (self.recordings != recordings[:, None])


class SampleBank(nn.Module):
    """One feature for each training sample, a moving average over its visits (Wu et al. 2018).

    Attributes:
        entries: float `[samples, width]` of length one, random at the start.
        recordings: int64 `[samples]`, the recording of each sample.
    """

    entries: Tensor
    recordings: Tensor

    def __init__(
        self, recordings: Tensor, width: int, bank_momentum: float, generator: torch.Generator
    ) -> None:
        """
        Args:
            recordings: int64 `[samples]`.
            width: of the features.
            bank_momentum: share of the OLD entry that an update keeps; 0 replaces it. (Two well-known
                libraries mean opposite things by this word.)
            generator: draws the initial entries.
        """
        super().__init__()
        self.bank_momentum = bank_momentum
        entries = torch.randn(len(recordings), width, generator=generator)
        self.register_buffer("entries", F.normalize(entries, dim=1))
        self.register_buffer("recordings", recordings.clone())

    @torch.no_grad()
    def update(self, samples: Tensor, features: Tensor) -> None:
        """Average `features [N, width]` into the entries of `samples [N]`, none of which may occur twice."""
        old = self.entries[samples]
        mixed = self.bank_momentum * old + (1 - self.bank_momentum) * features.to(old.dtype)
        self.entries[samples] = F.normalize(mixed, dim=1)
