"""Stand-ins for the parts around the program's loop."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from faultline_collector.correlate.engine import Standing
from faultline_collector.fleet import Fleet
from faultline_collector.outages import Outage, Scope, State, Subject
from faultline_collector.registry.database import RegistryError
from faultline_collector.results import ResultBatch


def outage(outage_id: str, state: State = State.SUSPECTED) -> Outage:
    """An outage of twitter, worldwide."""
    return Outage(
        id=outage_id,
        state=state,
        scope=Scope.GLOBAL,
        subject=Subject("service", "twitter"),
        target_ids=("web",),
        regions=("west",),
        asns=(),
        layer="connect",
        severity="down",
        confidence=0.99,
        onset_us=1,
        onset_after_us=0,
        onset_before_us=1,
        detected_us=2,
        why="It is down.",
    )


@dataclass
class ScriptedCorrelator:
    """A correlator that finds what it is told to find, and notes what it is given."""

    found: list[tuple[Outage, ...]] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    steps: list[tuple[str, int]] = field(default_factory=list)
    contacts: list[tuple[str, int]] = field(default_factory=list)
    restored: tuple[Outage, ...] = ()
    current: dict[str, Outage] = field(default_factory=dict)
    fleet: Fleet = field(default_factory=Fleet)
    broken: bool = False

    def observe(self, results: ResultBatch) -> None:
        """Notes the sequences."""
        if self.broken:
            raise ZeroDivisionError
        self.seen += results.sequence.tolist()
        self.steps.append(("observe", len(results)))

    def contact(self, agent_id: str, at_us: int, *, well: bool) -> None:
        """Notes the sign of life."""
        self.contacts.append((agent_id, at_us))

    def tick(self, now_us: int) -> tuple[Outage, ...]:
        """The next of what it is told to find."""
        if self.broken:
            raise ZeroDivisionError
        self.steps.append(("tick", now_us))
        found = self.found.pop(0) if self.found else ()
        self.current |= {outage.id: outage for outage in found}
        return found

    def restore(self, outages: Iterable[Outage]) -> None:
        """Notes the outages."""
        self.restored += tuple(outages)

    def refit(self, fleet: Fleet) -> None:
        """Notes the fleet."""
        self.fleet = fleet

    def outages(self) -> tuple[Outage, ...]:
        """What was restored, and what was found since."""
        known = {outage.id: outage for outage in self.restored} | self.current
        return tuple(outage for outage in known.values() if outage.state.is_open)

    def standings(self, now_us: int) -> tuple[Standing, ...]:
        """Nothing."""
        return ()


@dataclass
class Book:
    """A book of outages that can fail."""

    saved: list[list[str]] = field(default_factory=list)
    broken: bool = False

    def save_outages(self, outages: Iterable[Outage]) -> None:
        """Notes the ids, or fails."""
        if self.broken:
            raise RegistryError("the disk is full")
        self.saved.append([f"{outage.id} {outage.state.value}" for outage in outages])
