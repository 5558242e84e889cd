"""A small internet of namespaces: agents behind their networks' routers, a core, services, and a collector.

agent (region r, network n) -- network n -- core --+-- world: services, resolvers, references
                                                   +-- collector

Loss is nftables' `numgen random`: not every kernel has netem (CONFIG_NET_SCH_NETEM).
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from faultline_collector.lab.certificates import make_certificates
from faultline_collector.lab.faults import Failure
from faultline_collector.lab.listener import Door, Listener
from faultline_collector.lab.names import Resolver
from faultline_collector.lab.sites import Site
from faultline_collector.lab.world import Part
from tests.netns.spaces import Spaces

REGIONS = ("east", "north", "south")
ASNS = (64500, 64501, 64502)
REFERENCES = ("10.40.1.1", "10.40.2.1")
COLLECTOR = "10.3.0.2"
PORT = 80
ANSWER_S = 0.15
"""How long a service takes to answer, as far away as that: a busy machine adds little to it."""

SERVICES = {"alpha": "edge", "beta": "edge", "gamma": "cloud", "delta": "cloud", "epsilon": ""}
"""The provider of each."""

PARTS = tuple(
    Part(service, "web", provider, "https" if service == "alpha" else "http", PORT)
    for service, provider in SERVICES.items()
)


@dataclass(frozen=True, slots=True)
class Vantage:
    """Where one agent stands."""

    region: str
    asn: int

    @property
    def id(self) -> str:
        """The agent's id, and its namespace."""
        return f"{self.region}-{self.asn}"


VANTAGES = tuple(Vantage(region, asn) for region in REGIONS for asn in ASNS)


def network(asn: int) -> str:
    """The namespace of a network's router."""
    return f"as{asn}"


def address_of(service: str) -> str:
    """Where a service is."""
    return f"10.20.{list(SERVICES).index(service)}.1"


def resolver_of(region: str) -> str:
    """The resolver of all agents of a region."""
    return f"10.30.{REGIONS.index(region)}.1"


class Internet:
    """Everything but the programs; what is broken stays so until `mend`."""

    def __init__(self, spaces: Spaces, folder: Path) -> None:
        self.spaces = spaces
        self.certificates = make_certificates(folder, [f"*.{service}.test" for service in SERVICES])
        self._cut: list[int] = []
        spaces.add("core", forwards=True)
        spaces.add("world", *map(address_of, SERVICES), *map(resolver_of, REGIONS), *REFERENCES)
        spaces.add("collector")
        spaces.link("core", "world", "10.2.0")
        spaces.link("core", "collector", "10.3.0")
        for block in ("10.20.0.0/16", "10.30.0.0/16", "10.40.0.0/16"):
            spaces.ip("core", "route", "add", block, "via", "10.2.0.2")
        for number, asn in enumerate(ASNS):
            spaces.add(network(asn), forwards=True)
            spaces.link("core", network(asn), f"10.1.{number}")
            self._route(asn)
            for place, region in enumerate(REGIONS):
                spaces.add(Vantage(region, asn).id)
                spaces.link(network(asn), Vantage(region, asn).id, f"10.{10 + number}.{place}")
        spaces.nft("core", "add table ip faults")
        spaces.nft("core", "add chain ip faults forward { type filter hook forward priority 0; }")

    def _route(self, asn: int) -> None:
        number = ASNS.index(asn)
        self.spaces.ip("core", "route", "add", f"10.{10 + number}.0.0/16", "via", f"10.1.{number}.2")

    def drop(self, what: str) -> None:
        """The core drops packets that match."""
        self.spaces.nft("core", f"add rule ip faults forward {what} drop")

    def cut_uplink(self, asn: int) -> None:
        """The wire between a network and the core is dead."""
        self.spaces.ip("core", "link", "set", f"to-{network(asn)}", "down")
        self._cut.append(asn)

    def mend(self) -> None:
        """Makes everything whole."""
        self.spaces.nft("core", "flush chain ip faults forward")
        while self._cut:
            asn = self._cut.pop()
            self.spaces.ip("core", "link", "set", f"to-{network(asn)}", "up")
            self._route(asn)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Services, resolvers and references answer, from a thread that stands in the world."""
        ready = threading.Event()
        loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

        async def serve() -> None:
            ended = asyncio.Event()
            loops.append((asyncio.get_running_loop(), ended))
            sites = [Site(part, address_of(part.service), self.certificates, ANSWER_S) for part in PARTS]
            references = [Listener(address, PORT, lambda met: met.close()) for address in REFERENCES]
            resolvers = [Resolver({part.name: address_of(part.service) for part in PARTS}) for _ in REGIONS]
            for region, resolver in zip(REGIONS, resolvers, strict=True):
                await resolver.listen(resolver_of(region), 53)
            for site in sites:
                site.show(Failure.SLOW)
            for reference in references:
                reference.set(Door.OPEN)
            ready.set()
            await ended.wait()
            for site in sites:
                site.close()
            for reference in references:
                reference.close()
            for resolver in resolvers:
                resolver.close()

        def body() -> None:
            self.spaces.enter("world")
            asyncio.run(serve())

        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        try:
            assert ready.wait(30), "the world does not answer"
            yield
        finally:
            for loop, ended in loops:
                loop.call_soon_threadsafe(ended.set)
            thread.join(10)
