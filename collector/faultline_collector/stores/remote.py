"""A store on another machine: how it stands, and what it keeps beside results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from faultline_collector.outages import Outage


@dataclass(frozen=True, slots=True)
class Standing:
    """Why the other machine takes nothing, in one sentence, and what waits for it here.

    `refused` counts points that it will never take, by reason; `unheard` transitions of outages that were not
    written because too many came at once.
    """

    problem: str = ""
    waiting_results: int = 0
    outbox_bytes: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    unheard: int = 0


@runtime_checkable
class RemoteStore(Protocol):
    """What a store is beside `Store` when it stands on another machine."""

    def standing(self) -> Standing:
        """How it stands; does not block."""

    def note_outages(self, outages: Sequence[Outage]) -> None:
        """Takes outages, to write their transitions beside the results; does not block."""
