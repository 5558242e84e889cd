"""The lab's world made real: all servers, resolvers, references and relays, and the faults in force."""

import socket
from collections.abc import Callable
from pathlib import Path

from faultline_collector.lab.certificates import Certificates, make_certificates
from faultline_collector.lab.faults import Fault, total
from faultline_collector.lab.listener import Door, Listener
from faultline_collector.lab.names import Resolver
from faultline_collector.lab.relay import Relay
from faultline_collector.lab.sites import Site
from faultline_collector.lab.world import (
    DOMAIN,
    REFERENCE_PORT,
    RELAY_PORT,
    RESOLVER_PORT,
    Cell,
    Vantage,
    World,
)

_CLAIM_PORT = 18000
_BLOCKS = range(77, 127)


class NoRoom(Exception):
    """Raised when the lab's addresses are taken."""


class Claim:
    """Holds one block of loopback addresses, so that two labs on one machine do not meet."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.block = next((block for block in _BLOCKS if self._take(block)), 0)
        if not self.block:
            self._socket.close()
            raise NoRoom(f"no free block of addresses: port {_CLAIM_PORT} is taken on all of 127.77-126.0.1")

    def _take(self, block: int) -> bool:
        try:
            self._socket.bind((f"127.{block}.0.1", _CLAIM_PORT))
            self._socket.listen(1)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Gives the block back; safe twice."""
        self._socket.close()


class Stage:
    """Runs the world; `inject` and `clear` break it and make it whole.

    `way` gives where an agent's relay leads to.
    """

    def __init__(self, world: World, folder: Path, way: Callable[[Vantage], tuple[str, int]]) -> None:
        self.world = world
        self.faults: list[Fault] = []
        self.certificates = make_certificates(folder, [f"*.{p.id}.{DOMAIN}" for p in world.products])
        self.relays = {v.id: Relay(world.relay(v), RELAY_PORT, way(v)) for v in world.vantages}
        self._references = {v.id: _references(world, v) for v in world.vantages}
        self._sites = dict(_sites(world, self.certificates))
        self._resolvers = {v.id: _resolver(world, v) for v in world.vantages}

    async def open(self) -> None:
        """Opens every socket; NoRoom says which one is taken."""
        try:
            for vantage in self.world.vantages:
                await self._resolvers[vantage.id].listen(self.world.resolver(vantage), RESOLVER_PORT)
            self._apply()
        except OSError as error:
            await self.close()
            raise NoRoom(f"the lab cannot have its addresses: {error.strerror or error}") from error

    def inject(self, fault: Fault) -> None:
        """Breaks something more; BadFault when it names what is not there."""
        fault.damage(self.world)
        self.faults.append(fault)
        self._apply()

    def clear(self) -> None:
        """Makes everything whole."""
        self.faults.clear()
        self._apply()

    async def close(self) -> None:
        """Closes every socket; safe twice."""
        for site in self._sites.values():
            site.close()
        for relay in self.relays.values():
            await relay.close()
        for resolver in self._resolvers.values():
            resolver.close()
        for listener in (one for both in self._references.values() for one in both):
            listener.close()

    def _apply(self) -> None:
        damage = total(self.faults, self.world)
        for cell, site in self._sites.items():
            site.show(damage.cells.get(cell))
        for vantage in self.world.vantages:
            offline = vantage.id in damage.offline
            resolver = self._resolvers[vantage.id]
            resolver.silent = offline
            resolver.show(
                {
                    part.name: failure
                    for part in self.world.parts()
                    if (failure := damage.cells.get(Cell(vantage.id, part.service, part.id)))
                }
            )
            for reference in self._references[vantage.id]:
                reference.set(Door.FULL if offline else Door.OPEN)
            self.relays[vantage.id].set_cut(vantage.id in damage.isolated)


def _references(world: World, vantage: Vantage) -> tuple[Listener, Listener]:
    return (
        Listener(world.gateway(vantage), REFERENCE_PORT, socket.socket.close),
        Listener(world.upstream(vantage), REFERENCE_PORT, socket.socket.close),
    )


def _resolver(world: World, vantage: Vantage) -> Resolver:
    return Resolver({part.name: world.address(vantage, part.service) for part in world.parts()})


def _sites(world: World, certificates: Certificates) -> list[tuple[Cell, Site]]:
    return [
        (
            Cell(vantage.id, part.service, part.id),
            Site(part, world.address(vantage, part.service), certificates),
        )
        for vantage in world.vantages
        for part in world.parts()
        if part.transport != "dns"
    ]
