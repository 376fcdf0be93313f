"""Names of streams: those that a network was trained on, and those of a store or a robot.

A network that was trained on `tactile_left` looks at a lab's `finger` with `--streams tactile_left=finger`.
What is mapped are contracts, so that everything made from a mapped network has the store's names.
"""

from __future__ import annotations

import copy
import dataclasses
import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from visuotactile.datasets.embodiment import Embodiment
from visuotactile.datasets.store import Store
from visuotactile.encoders.branch import BranchNetwork
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.frozen import FrozenEncoder, encoder_contract
from visuotactile.errors import ContractError

Names = Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class StreamNames:
    """Mapping of a network's names of streams.

    Args:
        names: name in a network → name in a store or a robot.

    Raises:
        ContractError: a name is no text.
    """

    names: Names = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the names."""
        if not isinstance(self.names, Mapping):
            raise ContractError(f"streams is {self.names!r}; expected names, such as tactile_left=finger")
        for own, other in self.names.items():
            if not isinstance(own, str) or not isinstance(other, str) or not own or not other:
                raise ContractError(f"streams maps {own!r} to {other!r}; expected names: tactile_left=finger")

    @classmethod
    def given(cls, names: Names | None) -> StreamNames:
        """The mapping, which is empty for None."""
        return cls(dict(names or {}) if names is None or isinstance(names, Mapping) else names)

    def of(self, streams: Sequence[str], recorded: Collection[str] | None = None) -> tuple[str, ...]:
        """A network's streams under the other names, in their order.

        Args:
            streams: names in the network. If none of them is mapped, they stay.
            recorded: streams of a store. Where one of several is mapped, those that the store lacks are left
                out: a network of two fingers, taken one at a time, then looks at the one finger of a lab.
        """
        if not self.names.keys() & set(streams):
            return tuple(streams)
        mapped = dict.fromkeys(self.names.get(name, name) for name in streams)
        return tuple(name for name in mapped if recorded is None or name in recorded)

    def contract(self, contract: InputContract, recorded: Collection[str] | None = None) -> InputContract:
        """A contract with the other names; see `of`."""
        return dataclasses.replace(contract, streams=self.of(contract.streams, recorded))

    def embodiment(self, embodiment: Embodiment) -> Embodiment:
        """An embodiment whose streams have the other names."""
        streams = [
            dataclasses.replace(stream, name=self.names.get(stream.name, stream.name))
            for stream in embodiment.streams
        ]
        return dataclasses.replace(embodiment, streams=tuple(streams))

    def encoder(self, encoder: FrozenEncoder, store: Store) -> FrozenEncoder:
        """A frozen encoder that looks at the store's streams; it keeps its hash, which is its folder's."""
        made = copy.copy(encoder)
        made.contract = self.contract(encoder.contract, recorded_streams(store))
        return made

    def networks(self, networks: Iterable[BranchNetwork], store: Store | None = None) -> None:
        """Let networks of branches look at the store's streams, or at a robot's, in place.

        Raises:
            ContractError: a mapped stream is looked at by none, or is not in the store.
        """
        networks = list(networks)
        self.check((name for each in networks for name in each.contract.streams), store)
        recorded = None if store is None else recorded_streams(store)
        for each in networks:
            each.rename_streams(self.of(each.contract.streams, recorded))

    def check(self, used: Iterable[str], store: Store | None = None) -> None:
        """Check that a network looks at each mapped stream, and that the store has what it is mapped to.

        Args:
            used: streams of all networks at hand.
            store: the store; None where a robot is compared later.

        Raises:
            ContractError: one does not; the message names the most similar.
        """
        self._known(self.names, dict.fromkeys(used), "no network looks at")
        if store is not None:
            self._known(self.names.values(), recorded_streams(store), f"{store.path} has no stream")

    def _known(self, names: Iterable[str], known: Collection[str], whose: str) -> None:
        for name in names:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                raise ContractError(
                    f"streams: {whose} {name!r}{hint} (known: {', '.join(known)}); give "
                    "NETWORKS_NAME=STORES_NAME, such as tactile_left=finger"
                )


def recorded_streams(store: Store) -> tuple[str, ...]:
    """Names of the streams of a store."""
    return tuple(dict.fromkeys(stream for stream, _ in store.specs))


def rename_in(configuration: Any, names: StreamNames, store: Store) -> None:
    """Give every contract and branch in a model's configuration the store's names, in place.

    Args:
        configuration: nested mappings, as LightningCLI parses them.
        names: mapping of the networks' names.
        store: store to train on.

    Raises:
        ContractError: a mapped stream is none of the model's, or not in the store.
    """
    recorded, used = recorded_streams(store), dict[str, None]()
    for part in parts_of(configuration):
        if part.get("encoder") and "contract" in part:
            streams = tuple(part.get("streams") or encoder_contract(part["encoder"]).streams)
        elif part.get("streams") and "phase" in part:
            streams = tuple(part["streams"])
        else:
            continue
        used |= dict.fromkeys(streams)
        part["streams"] = list(names.of(streams, recorded))
    names.check(used, store)


def parts_of(configuration: Any) -> Iterator[Any]:
    """Every mapping within a configuration."""
    if isinstance(configuration, dict) or hasattr(configuration, "as_dict"):
        yield configuration
        for part in (configuration if isinstance(configuration, dict) else vars(configuration)).values():
            yield from parts_of(part)
