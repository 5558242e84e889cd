"""Where results were probed from, as it was when they were stored. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from faultline_collector.fleet import Fleet
from faultline_collector.results import Int32, Mask, ResultBatch, concatenate


class Place(NamedTuple):
    """The region and the network (ASN) of an agent; empty and 0 where the fleet does not know the agent."""

    region: str = ""
    asn: int = 0


NOWHERE = Place()


@dataclass(frozen=True, slots=True, eq=False)
class PlacedResults:
    """Results, and beside each the place (in `places`) in which its agent stood when it was stored."""

    results: ResultBatch
    places: tuple[Place, ...]
    place: Int32

    def __len__(self) -> int:
        return len(self.place)

    def select(self, keep: Mask | npt.NDArray[np.intp] | slice) -> "PlacedResults":
        """The results that a mask, an index or a slice names."""
        return PlacedResults(self.results.select(keep), self.places, self.place[keep])


def places_of(fleet: Fleet) -> dict[str, Place]:
    """The place of every agent."""
    return {agent.id: Place(agent.region, agent.asn) for agent in fleet.agents}


def placed(results: ResultBatch, places: Mapping[str, Place]) -> PlacedResults:
    """The results with the places of their agents."""
    own = [places.get(source.agent_id, NOWHERE) for source in results.sources]
    known = {place: code for code, place in enumerate(dict.fromkeys(own))}
    codes = np.array([known[place] for place in own], np.int32)
    return PlacedResults(results, tuple(known), codes[results.source])


def gathered(parts: Sequence[PlacedResults]) -> PlacedResults:
    """All parts as one, in order."""
    if len(parts) == 1:
        return parts[0]
    known: dict[Place, int] = {}
    codes = [
        np.array([known.setdefault(place, len(known)) for place in part.places], np.int32)[part.place]
        for part in parts
    ]
    place = np.concatenate([*codes, np.empty(0, np.int32)])
    return PlacedResults(concatenate([part.results for part in parts]), tuple(known), place)
