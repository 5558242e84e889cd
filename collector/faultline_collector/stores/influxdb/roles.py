"""What targets stand for, as it was when results were stored. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from faultline_collector.fleet import Fleet


class Role(NamedTuple):
    """Service, component and provider of a target; empty where the fleet does not know it."""

    service: str = ""
    component: str = ""
    provider: str = ""


def roles_of(fleet: Fleet, target_ids: Sequence[str]) -> tuple[Role, ...]:
    """The role of each of the targets."""
    wanted = frozenset(target_ids)
    known = {t.id: Role(t.service, t.component, t.provider) for t in fleet.targets if t.id in wanted}
    return tuple(known.get(target_id, Role()) for target_id in target_ids)
