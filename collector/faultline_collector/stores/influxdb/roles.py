"""What targets stand for, as it was when results were stored. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from faultline_collector.fleet import Fleet


class Role(NamedTuple):
    """Service, component and provider of a target; empty where the fleet does not know it."""

    service: str = ""
    component: str = ""
    provider: str = ""


_NOTHING = Role()


class Roles:
    """The roles of targets; those of the fleet that was given last are remembered. Not safe for threads."""

    def __init__(self) -> None:
        self._fleet: Fleet | None = None
        self._known: dict[str, Role] = {}

    def of(self, fleet: Fleet, target_ids: Sequence[str]) -> tuple[Role, ...]:
        """The role of each of the targets."""
        if fleet is not self._fleet:
            self._known = {t.id: Role(t.service, t.component, t.provider) for t in fleet.targets}
            self._fleet = fleet
        return tuple(self._known.get(target_id, _NOTHING) for target_id in target_ids)
