"""The joint space: frozen encoders of several modalities with projection heads into one space.

FOLDER/encoders/MODALITY/     an encoder folder each, for every command that takes an encoder
FOLDER/joint.safetensors      the projection head of each modality
FOLDER/joint.json             modalities, dimension, temperature, provenance
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from visuotactile.encoders.folders import ENCODERS, ArtefactFolder, on_device, understood
from visuotactile.encoders.frozen import NAME, FrozenEncoder, load_encoders, save_encoders
from visuotactile.encoders.weights import check_state, state_hash
from visuotactile.errors import ContractError, EncoderError

JOINT = ArtefactFolder(
    name="joint",
    kind="a joint space",
    format=2,  # 1 had no hash over `meta`
    entries={"dimension": int, "temperature": float, "modalities": dict},
    source="`visuotactile export` makes one of a cross-modal checkpoint",
    others=(ENCODERS,),
)
FEWEST = 2  # modalities


def projection_head(width: int, dimension: int) -> nn.Sequential:
    """MoCo v2's two-layer head: features `[B, width]` to `[B, dimension]`, not normalised."""
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, dimension))


class JointSpace:
    """Unit vectors that can be compared across modalities.

    Args:
        encoders: modality → frozen encoder; at least two.
        heads: modality → its `projection_head`, all of one dimension; taken over, frozen.
        temperature: temperature of the contrastive loss in training.
        meta: provenance of the weights (method, store, fingerprint, pretraining_objects, seed, step, …).

    Attributes:
        modalities: names, in the order of `encoders`.
        dimension: D, the dimension of the unit vectors.
        hash: SHA-256 over encoders, heads and temperature.

    Raises:
        EncoderError: a modality's name cannot be a folder's, or its head does not fit its encoder.
    """

    def __init__(
        self,
        encoders: Mapping[str, FrozenEncoder],
        heads: Mapping[str, nn.Module],
        temperature: float,
        meta: Mapping[str, Any],
    ) -> None:
        check_modalities(encoders)
        self.encoders: Mapping[str, FrozenEncoder] = dict(encoders)
        self.modalities = tuple(self.encoders)
        if set(heads) != set(self.modalities):
            raise EncoderError(f"heads of {', '.join(heads)} for encoders of {', '.join(self.modalities)}")
        *_, bias = heads[self.modalities[0]].parameters()
        self.dimension = len(bias)
        self.heads = nn.ModuleDict({name: heads[name] for name in self.modalities})
        self.heads.requires_grad_(False).eval()
        check_state(self.heads.state_dict(), self._expected(), "these heads'", "the joint space")
        self.temperature, self.meta = float(temperature), dict(meta)
        hashes = {name: encoder.hash for name, encoder in self.encoders.items()}
        self.hash = state_hash([self.temperature, hashes], self.heads.state_dict())

    def embed(
        self,
        modality: str,
        images: NDArray[np.uint8],
        references: NDArray[np.uint8] | None = None,
        batch_size: int = 256,
    ) -> NDArray[np.float32]:
        """Unit vectors float32 `[N, D]` of recorded images.

        Args:
            modality: one of `modalities`.
            images: uint8 `[N, H, W, 3]` at the phase of the modality's contract.
            references: uint8 `[N, H, W, 3]` at its reference phase; None if it has none.
            batch_size: images per pass.

        Raises:
            ContractError: the modality is unknown, or the images do not fit its contract.
        """
        return self.project(modality, self.encoder(modality).encode(images, references, batch_size))

    @torch.no_grad()
    def project(self, modality: str, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit vectors `[N, D]` of features `[N, width]` from the modality's encoder."""
        width = self.encoder(modality).width
        if features.ndim != 2 or features.shape[1] != width:
            raise ContractError(f"features are {features.shape}; the {modality} encoder gives [N, {width}]")
        device = next(self.heads.parameters()).device
        placed = torch.from_numpy(np.require(features, np.float32, ["C", "W"])).to(device)
        return F.normalize(self.heads[modality](placed), dim=1).cpu().numpy()

    def encoder(self, modality: str) -> FrozenEncoder:
        """The frozen encoder of a modality; raises `ContractError` if the modality is unknown."""
        if modality not in self.encoders:
            raise ContractError(
                f"there is no modality {modality!r} here; it has {', '.join(self.modalities)}"
            )
        return self.encoders[modality]

    def _expected(self) -> dict[str, Tensor]:
        wanted = {name: projection_head(e.width, self.dimension) for name, e in self.encoders.items()}
        return nn.ModuleDict(wanted).state_dict()


def check_modalities(names: Mapping[str, Any]) -> None:
    """Raise `EncoderError` unless there are at least two, with names that can be folders and attributes."""
    if len(names) < FEWEST:
        raise EncoderError(f"found the modalities {sorted(names)}; a joint space needs at least {FEWEST}")
    for name in names:
        if not isinstance(name, str) or not NAME.fullmatch(name) or hasattr(nn.ModuleDict, name):
            raise EncoderError(
                f"a modality is called {name!r}; expected letters, digits and _, such as sight, and no name "
                "that PyTorch keeps for itself, such as 'type' or 'keys'"
            )


def save_joint(folder: str | os.PathLike[str], space: JointSpace, overwrite: bool = False) -> JointSpace:
    """Write a joint space as a folder atomically, and return the space read back from it.

    Raises:
        OutputExistsError: the folder exists and `overwrite` is False, or it holds something else.
        EncoderError: a weight is NaN or infinite, or `meta` is not JSON.
    """
    entries = {
        "dimension": space.dimension,
        "temperature": space.temperature,
        "modalities": {
            name: {"encoder": encoder.hash, "architecture": encoder.architecture, "width": encoder.width}
            for name, encoder in space.encoders.items()
        },
    }
    JOINT.write(
        folder,
        space.heads.state_dict(),
        entries,
        space.meta,
        overwrite=overwrite,
        inside=lambda new: save_encoders(new, space.encoders),
    )
    return load_joint(folder)


def load_joint(folder: str | os.PathLike[str], device: str | torch.device = "cpu") -> JointSpace:
    """Read a joint space, and validate its encoders, heads and hashes.

    Raises:
        EncoderError: a part is missing, damaged, edited, or does not fit; or the device does not exist.
    """
    folder = Path(folder)
    described = JOINT.read(folder)
    dimension, modalities = described["dimension"], described["modalities"]
    with understood(folder / JOINT.description, JOINT.kind):
        check_modalities(modalities)  # before a name becomes a path
        hashes = {name: entry["encoder"] for name, entry in modalities.items()}
    encoders = load_encoders(folder, hashes, "this space")

    def heads() -> nn.ModuleDict:
        return nn.ModuleDict({name: projection_head(e.width, dimension) for name, e in encoders.items()})

    state = JOINT.read_weights(folder, described, lambda: heads().state_dict())
    trained = heads()
    trained.load_state_dict(state)
    space = JointSpace(
        encoders, {name: trained[name] for name in encoders}, described["temperature"], described["meta"]
    )
    with on_device(device):
        for encoder in encoders.values():
            encoder.to(device)
        space.heads.to(device)
    return space
