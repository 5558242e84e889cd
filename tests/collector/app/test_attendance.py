"""What agents said of themselves outlives the collector."""

from collections.abc import Iterable

from faultline_collector.attendance import Attendance
from faultline_collector.presence import AgentState, Presences, Sighting
from faultline_collector.registry.database import RegistryError

HOUR_US = 3_600_000_000


class Book:
    """Keeps sightings in memory, unless it is told to fail."""

    def __init__(self, *kept: Sighting) -> None:
        self.kept = {seen.agent_id: seen for seen in kept}
        self.written: list[list[str]] = []
        self.broken = False

    def sightings(self) -> tuple[Sighting, ...]:
        """All."""
        return tuple(self.kept.values())

    def note_agents(self, sightings: Iterable[Sighting]) -> None:
        """Keeps them."""
        if self.broken:
            raise RegistryError("the disk is full")
        changed = {seen.agent_id: seen for seen in sightings}
        self.written.append(sorted(changed))
        self.kept |= changed


def test_agent_that_was_heard_before_a_restart_is_silent_and_not_unheard_of() -> None:
    """Whoever deploys two hundred agents sees which ones stopped, and when."""
    presences = Presences()
    Attendance(Book(Sighting("a", HOUR_US, "0.1.0", "c0ffee")), presences).restore()
    assert presences.get("a").state(2 * HOUR_US) is AgentState.SILENT
    assert presences.get("a").version == "0.1.0"
    assert presences.get("b").state(2 * HOUR_US) is AgentState.NEVER
    assert not presences.heard("a")
    presences.note("a", 2 * HOUR_US, version="0.2.0")
    assert presences.heard("a")
    assert presences.get("a").ca_bundle == "c0ffee"


async def test_only_what_changed_is_written_and_again_after_a_failure() -> None:
    """A registry that fails forgets nothing."""
    presences, book = Presences(), Book(Sighting("a", 1, "0.1.0", ""))
    attendance = Attendance(book, presences)
    attendance.restore()
    await attendance.save()
    assert book.written == []
    presences.note("b", 2, version="0.1.0", ca_bundle="c0ffee")
    book.broken = True
    await attendance.save()
    book.broken = False
    await attendance.save()
    await attendance.save()
    assert book.written == [["b"]]
    assert book.kept["b"] == Sighting("b", 2, "0.1.0", "c0ffee")
