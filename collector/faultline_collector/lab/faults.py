"""What can be broken in the lab: a fault is a scope, a subject and a kind; its damage is per cell."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from faultline_collector.lab.world import Cell, Part, Vantage, World
from faultline_collector.outages import Scope


class Failure(StrEnum):
    """How one component fails for one agent."""

    REFUSED = "refused"
    BLACKHOLE = "blackhole"
    RESET = "reset"
    HTTP = "http"
    SLOW = "slow"
    CONTENT = "content"
    EXPIRED = "expired"
    SERVFAIL = "servfail"
    NXDOMAIN = "nxdomain"
    SILENT = "silent"


_NAMES = frozenset({Failure.SERVFAIL, Failure.NXDOMAIN, Failure.SILENT})
_SOCKETS = frozenset({Failure.REFUSED, Failure.BLACKHOLE, Failure.RESET})
_PAGES = frozenset({Failure.HTTP, Failure.SLOW, Failure.CONTENT})
_CAN: Mapping[str, frozenset[Failure]] = {
    "https": _NAMES | _SOCKETS | _PAGES | {Failure.EXPIRED},
    "http": _NAMES | _SOCKETS | _PAGES,
    "tcp": _NAMES | _SOCKETS | {Failure.SLOW, Failure.CONTENT},
    "dns": _NAMES,
}
_INSTEAD: Mapping[str, Failure] = {"https": Failure.RESET, "http": Failure.HTTP, "tcp": Failure.RESET}


def nearest(failure: Failure, transport: str) -> Failure:
    """The failure itself, or the most alike that this transport can show."""
    if failure in _CAN[transport]:
        return failure
    if transport == "dns":
        return Failure.SILENT if failure in (Failure.BLACKHOLE, Failure.SLOW) else Failure.SERVFAIL
    return _INSTEAD[transport]


class BadFault(Exception):
    """Raised when a fault names something that the lab does not have."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What is broken: cells, agents whose own network is down, and agents cut off from the collector."""

    cells: Mapping[Cell, Failure] = field(default_factory=dict)
    offline: frozenset[str] = frozenset()
    isolated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to break; `subject` is a service, an ASN, a provider or an agent, by scope."""

    scope: Scope
    subject: str = ""
    failure: Failure | None = None
    regions: tuple[str, ...] = ()
    component: str = ""
    isolated: bool = False

    def damage(self, world: World) -> Damage:
        """What breaks, or BadFault in one sentence."""
        return _DAMAGES[self.scope](self, world)

    def __str__(self) -> str:
        words = [self.scope.value, self.subject]
        words += [f"--regions {','.join(self.regions)}"] if self.regions else []
        words += [f"--component {self.component}"] if self.component else []
        words += [f"--kind {self.failure}"] if self.failure else []
        words += ["--isolated"] if self.isolated else []
        return " ".join(word for word in words if word)


def total(faults: Iterable[Fault], world: World) -> Damage:
    """The damage of all faults together; where two meet, the later one shows."""
    cells: dict[Cell, Failure] = {}
    offline: frozenset[str] = frozenset()
    isolated: frozenset[str] = frozenset()
    for damage in (fault.damage(world) for fault in faults):
        cells.update(damage.cells)
        offline |= damage.offline
        isolated |= damage.isolated
    return Damage(cells, offline, isolated)


def _one_of(what: str, value: str, known: Iterable[str]) -> None:
    names = list(known)
    if value not in names:
        raise BadFault(f"the lab has no {what} {value!r}; it has {', '.join(names)}")


def _hit(vantages: Iterable[Vantage], parts: Iterable[Part], failure: Failure) -> dict[Cell, Failure]:
    wanted = list(parts)
    return {
        Cell(vantage.id, part.service, part.id): nearest(failure, part.transport)
        for vantage in vantages
        for part in wanted
    }


def _service_parts(fault: Fault, world: World) -> tuple[Part, ...]:
    _one_of("service", fault.subject, (p.id for p in world.products))
    product = world.product(fault.subject)
    parts = product.parts if product is not None else ()
    if fault.component:
        _one_of(f"component of {fault.subject}", fault.component, (p.id for p in parts))
    return tuple(p for p in parts if fault.component in ("", p.id))


def _everywhere(fault: Fault, world: World) -> Damage:
    return Damage(_hit(world.vantages, _service_parts(fault, world), fault.failure or Failure.HTTP))


def _regional(fault: Fault, world: World) -> Damage:
    if not fault.regions:
        raise BadFault("a regional fault needs --regions, such as --regions in-west,in-east")
    for region in fault.regions:
        _one_of("region", region, (p.id for p in world.places))
    there = [v for v in world.vantages if v.region in fault.regions]
    return Damage(_hit(there, _service_parts(fault, world), fault.failure or Failure.HTTP))


def _network(fault: Fault, world: World) -> Damage:
    _one_of("network", fault.subject, (str(c.asn) for c in world.carriers))
    there = [v for v in world.vantages if str(v.asn) == fault.subject]
    return Damage(_hit(there, world.parts(), fault.failure or Failure.BLACKHOLE))


def _provider(fault: Fault, world: World) -> Damage:
    _one_of("provider", fault.subject, world.providers)
    parts = [p for p in world.parts() if p.provider == fault.subject]
    return Damage(_hit(world.vantages, parts, fault.failure or Failure.HTTP))


def _agent(fault: Fault, world: World) -> Damage:
    subject = fault.subject or world.vantages[0].id
    _one_of("agent", subject, (v.id for v in world.vantages))
    there = [v for v in world.vantages if v.id == subject]
    cells = _hit(there, world.parts(), fault.failure or Failure.BLACKHOLE)
    return Damage(cells, frozenset({subject}), frozenset({subject} if fault.isolated else ()))


def _collector(fault: Fault, world: World) -> Damage:
    return Damage(isolated=frozenset(v.id for v in world.vantages))


_DAMAGES = {
    Scope.GLOBAL: _everywhere,
    Scope.REGIONAL: _regional,
    Scope.NETWORK: _network,
    Scope.PROVIDER: _provider,
    Scope.AGENT: _agent,
    Scope.COLLECTOR: _collector,
}
