"""The lab's world: who stands where, what they probe, and which loopback address each of them has."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

DOMAIN = "test"
"""Top-level domain of the lab's names; reserved for this by RFC 6761."""

UP_NAME = f"up.{DOMAIN}"
"""A name that every resolver of the lab answers: what an agent checks its resolver with."""

RESOLVER_PORT = 18053
REFERENCE_PORT = 18080
RELAY_PORT = 18090
FIRST_COMPONENT_PORT = 18100

_GATEWAY, _RESOLVER, _UPSTREAM, _RELAY, _FIRST_SERVICE = 1, 2, 3, 4, 10


@dataclass(frozen=True, slots=True)
class Place:
    """A region of the lab."""

    id: str
    name: str
    country: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Carrier:
    """A network that spans one country."""

    asn: int
    name: str
    country: str


@dataclass(frozen=True, slots=True)
class Part:
    """One component of a service; transport is https, http, tcp or dns."""

    service: str
    id: str
    provider: str
    transport: str
    port: int

    @property
    def name(self) -> str:
        """The name under which it is looked up."""
        return f"{self.id}.{self.service}.{DOMAIN}"

    @property
    def target_id(self) -> str:
        """The id of the target that stands for it."""
        return f"{self.service}-{self.id}"


@dataclass(frozen=True, slots=True)
class Product:
    """A service of the lab."""

    id: str
    name: str
    provider: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Vantage:
    """One agent, and the third octet of all its addresses."""

    id: str
    region: str
    country: str
    asn: int
    octet: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One component as one agent sees it: the smallest thing that can fail."""

    agent: str
    service: str
    component: str


@dataclass(frozen=True, slots=True)
class World:
    """Everything that exists; `block` is the second octet of all addresses."""

    places: tuple[Place, ...]
    carriers: tuple[Carrier, ...]
    providers: Mapping[str, str]
    products: tuple[Product, ...]
    vantages: tuple[Vantage, ...]
    block: int = 77
    _hosts: Mapping[str, int] = field(default_factory=dict)

    def parts(self) -> Iterator[Part]:
        """All components of all services."""
        for product in self.products:
            yield from product.parts

    def part(self, cell: Cell) -> Part:
        """The component of a cell."""
        return next(p for p in self.parts() if (p.service, p.id) == (cell.service, cell.component))

    def product(self, service: str) -> Product | None:
        """The service of this id."""
        return next((p for p in self.products if p.id == service), None)

    def cells(self, vantage: Vantage) -> Iterator[Cell]:
        """All that one agent sees."""
        return (Cell(vantage.id, part.service, part.id) for part in self.parts())

    def gateway(self, vantage: Vantage) -> str:
        """The first thing on the agent's own way out: a reference."""
        return self._address(vantage, _GATEWAY)

    def upstream(self, vantage: Vantage) -> str:
        """Something of another operator that always answers: a reference."""
        return self._address(vantage, _UPSTREAM)

    def resolver(self, vantage: Vantage) -> str:
        """The agent's resolver."""
        return self._address(vantage, _RESOLVER)

    def relay(self, vantage: Vantage) -> str:
        """The agent's way to the collector."""
        return self._address(vantage, _RELAY)

    def address(self, vantage: Vantage, service: str) -> str:
        """Where this agent meets this service."""
        return self._address(vantage, self._hosts[service])

    def _address(self, vantage: Vantage, host: int) -> str:
        return f"127.{self.block}.{vantage.octet}.{host}"


_PLACES = (
    Place("in-west", "West India", "IN", 19.08, 72.88),
    Place("in-north", "North India", "IN", 28.61, 77.21),
    Place("in-east", "East India", "IN", 22.57, 88.36),
    Place("us-east", "Eastern US", "US", 40.71, -74.01),
    Place("us-central", "Central US", "US", 41.88, -87.63),
    Place("us-west", "Western US", "US", 37.77, -122.42),
    Place("br-south", "South Brazil", "BR", -23.55, -46.63),
    Place("br-east", "East Brazil", "BR", -12.97, -38.50),
    Place("br-north", "North Brazil", "BR", -3.12, -60.02),
    Place("de-north", "North Germany", "DE", 53.55, 9.99),
    Place("de-west", "West Germany", "DE", 50.94, 6.96),
    Place("de-south", "South Germany", "DE", 48.14, 11.58),
)

_CARRIERS = (
    Carrier(55836, "Jio", "IN"),
    Carrier(24560, "Airtel", "IN"),
    Carrier(9829, "BSNL", "IN"),
    Carrier(7922, "Comcast", "US"),
    Carrier(701, "Verizon", "US"),
    Carrier(20057, "AT&T", "US"),
    Carrier(26599, "Vivo", "BR"),
    Carrier(28573, "Claro", "BR"),
    Carrier(26615, "TIM", "BR"),
    Carrier(3320, "Telekom", "DE"),
    Carrier(3209, "Vodafone", "DE"),
    Carrier(6805, "o2", "DE"),
)

_PROVIDERS = {
    "fastly": "Fastly",
    "aws": "Amazon Web Services",
    "cloudflare": "Cloudflare",
    "google": "Google Cloud",
}

_SERVICES: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    (
        "twitter",
        "Twitter",
        "fastly",
        {"web": "https", "login": "https", "notifications": "tcp", "api": "http"},
    ),
    ("reddit", "Reddit", "fastly", {"web": "http"}),
    ("github", "GitHub", "fastly", {"web": "http", "git": "tcp"}),
    ("netflix", "Netflix", "aws", {"web": "https", "playback": "http"}),
    ("signal", "Signal", "aws", {"messages": "tcp"}),
    ("slack", "Slack", "aws", {"web": "https", "messages": "http"}),
    ("discord", "Discord", "cloudflare", {"web": "http", "voice": "tcp"}),
    ("chatgpt", "ChatGPT", "cloudflare", {"web": "https"}),
    ("npm", "npm", "cloudflare", {"registry": "http", "names": "dns"}),
    ("youtube", "YouTube", "google", {"web": "https"}),
    ("gmail", "Gmail", "google", {"web": "https", "smtp": "tcp"}),
    ("spotify", "Spotify", "google", {"web": "http", "names": "dns"}),
)


def _products() -> tuple[Product, ...]:
    port, products = FIRST_COMPONENT_PORT, []
    for service, name, provider, components in _SERVICES:
        parts = []
        for component, transport in components.items():
            parts.append(Part(service, component, provider, transport, port))
            port += 1
        products.append(Product(service, name, provider, tuple(parts)))
    return tuple(products)


def _vantages() -> tuple[Vantage, ...]:
    pairs = [
        (place, carrier) for place in _PLACES for carrier in _CARRIERS if carrier.country == place.country
    ]
    return tuple(
        Vantage(f"{place.id}-{_slug(carrier.name)}", place.id, place.country, carrier.asn, octet)
        for octet, (place, carrier) in enumerate(pairs, 1)
    )


def _slug(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def make_world(block: int = 77) -> World:
    """The whole world: 4 countries of 3 regions and 3 networks, an agent for each region and network."""
    products = _products()
    hosts = {product.id: _FIRST_SERVICE + index for index, product in enumerate(products)}
    return World(_PLACES, _CARRIERS, _PROVIDERS, products, _vantages(), block, hosts)


def with_agents(world: World, count: int) -> World:
    """The same world with only `count` of its agents, taken evenly over it."""
    step = len(world.vantages) / count
    return replace(world, vantages=tuple(world.vantages[int(i * step)] for i in range(count)))
