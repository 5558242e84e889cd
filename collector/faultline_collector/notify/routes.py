"""Who is told of an outage, and what is muted; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from faultline_collector.notify.document import Notice


@dataclass(frozen=True, slots=True)
class Extent:
    """What an outage touches, or what is chosen; an empty choice leaves all open."""

    scopes: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()

    def touches(self, notice: Notice) -> bool:
        """Whether a notice is of this choice: it has one of each that is chosen."""
        return all(not chosen or chosen & has for chosen, has in self._beside(notice))

    def covers(self, notice: Notice) -> bool:
        """Whether all that a notice tells of lies within this choice; what touches more is not covered."""
        return all(not chosen or (has and has <= chosen) for chosen, has in self._beside(notice))

    def _beside(self, notice: Notice) -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
        return (
            (self.scopes, frozenset({notice.outage.scope.value})),
            (self.services, frozenset(notice.services)),
            (self.regions, frozenset(notice.outage.regions)),
        )


@dataclass(frozen=True, slots=True)
class Route:
    """Receivers, by id, of the notices that touch an extent."""

    to: tuple[str, ...]
    extent: Extent = Extent()


@dataclass(frozen=True, slots=True)
class Mute:
    """A maintenance window: what lies within the extent is measured and judged, but not declared.

    Times in microseconds since 1970; `until_us` None: until it is ended; `id` 0: the configuration's.
    """

    extent: Extent
    since_us: int
    until_us: int | None
    reason: str = ""
    id: int = 0

    def mutes(self, notice: Notice, now_us: int) -> bool:
        """Whether it holds back this notice now."""
        return self.is_on(now_us) and self.extent.covers(notice)

    def is_on(self, now_us: int) -> bool:
        """Whether the window is open."""
        return self.since_us <= now_us and (self.until_us is None or now_us < self.until_us)


def receivers_of(notice: Notice, routes: Iterable[Route], receivers: Iterable[str]) -> tuple[str, ...]:
    """Who is told; where there are no routes at all, everybody is."""
    ways = tuple(routes)
    known = tuple(receivers)
    if not ways:
        return known
    wanted = {receiver for route in ways if route.extent.touches(notice) for receiver in route.to}
    return tuple(receiver for receiver in known if receiver in wanted)
