"""One sentence that a person understands, and the evidence behind it as plain data."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from faultline.outcomes import Outcome
from faultline_collector.correlate.causes import Cause
from faultline_collector.correlate.layout import Index, Layout
from faultline_collector.outages import Scope

LAYER_WORDS = {
    "dns": "name resolution fails",
    "connect": "connections are refused",
    "tls": "TLS handshakes fail",
    "http": "the servers answer with errors",
    "content": "the pages have the wrong content",
    "timeout": "requests time out",
    "silence": "nothing is heard",
    "latency": "answers are slow",
    "inconclusive": "its own checks fail",
}


def layer_of(layers: "np.typing.NDArray[np.float64]") -> str:
    """The layer that most failures have."""
    return Outcome(int(layers.argmax())).word if layers.any() else Outcome.TIMEOUT.word


def names(words: Sequence[str], most: int = 3) -> str:
    """A few names as a person would say them."""
    if len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most} more"
    return " and ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else "".join(words)


def count(number: int, noun: str) -> str:
    """`1 agent`, `3 agents`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def sentence(
    layout: Layout, cause: Cause, layer: str, failing: Index, heard: Index, targets: Sequence[str]
) -> str:
    """Says what is out, for whom, how it fails, and who is fine."""
    says = LAYER_WORDS[layer]
    regions = sorted({layout.name("region", layout.regions[layout.region[a]]) for a in failing})
    networks = len({int(layout.network[a]) for a in failing})
    seen = f"{len(failing)} of {count(len(heard), 'agent')} in {count(len(regions), 'region')}"
    seen += f" on {count(networks, 'network')} fail"
    name = layout.name(cause.subject.kind, cause.subject.id)
    match cause.scope:
        case Scope.GLOBAL:
            return f"{name} fails {_from_all(layout)} ({part(layout, cause, targets)}): {says}; {seen}."
        case Scope.REGIONAL:
            parts = part(layout, cause, targets)
            where, but = names(regions), "not elsewhere"
            if cause.form == "through networks":
                ways = sorted({layout.name("asn", str(layout.asns[layout.network[a]])) for a in failing})
                where, but = f"{where} through {names(ways)}", "not through others"
            return f"{name} fails in {where} ({parts}), {but}: {says}; {seen}."
        case Scope.PROVIDER:
            place = "everywhere" if cause.form.startswith("everywhere") else f"in {names(regions)}"
            services = sorted({layout.services[layout.service[t]] for t in cause.targets})
            return f"{count(len(services), 'service')} on {name} fail together {place}: {says}; {seen}."
        case Scope.NETWORK:
            kind = name if cause.subject.kind == "asn" else f"the access of {name}"
            all_of = f"Nearly all{over(layout, cause)}"
            return f"{all_of} fails through {kind} in {names(regions)}: {says}; {seen}, others are fine."
        case _ if cause.subject.kind == "cohort":
            number = np.unique(layout.service[cause.targets]).size
            return f"{name} fail on {count(number, 'service')} that others reach: {says}; {seen}."
        case _:
            its = f"nearly all its targets{over(layout, cause)}"
            return f"Only {name} fails, on {its}: {says}; the trouble is its own."


def _from_all(layout: Layout) -> str:
    """Everywhere, unless there are too few vantages to say so."""
    few = {1: "from the only vantage there is", 2: "from both vantages there are"}
    return few.get(layout.shape[0], "everywhere")


def part(layout: Layout, cause: Cause, targets: Sequence[str]) -> str:
    """Which components are meant."""
    components = sorted({layout.component[layout.columns[t]] for t in targets})
    return names(components) + over(layout, cause)


def over(layout: Layout, cause: Cause) -> str:
    """` over IPv6`, where only that is hit."""
    family = family_of(layout, cause)
    return f" over IPv{family}" if family else ""


def family_of(layout: Layout, cause: Cause) -> int:
    """4 or 6, where only that address family is hit and the other is probed too; else 0."""
    services = np.isin(layout.service, layout.service[cause.targets])
    families = np.unique(layout.family[cause.targets])
    alone = families.size == 1 and len(layout.families_of(np.flatnonzero(services))) > 1
    return int(families[0]) if alone else 0


def evidence(
    layout: Layout,
    cause: Cause,
    failing: Index,
    healthy: Index,
    layers: dict[str, int],
    lost: Sequence[Cause],
) -> dict[str, Any]:
    """Who fails and who does not, by region and network, the layers, and what was considered and lost."""
    return {
        "score_nats": round(cause.score, 1),
        "failing": _grouped(layout, failing),
        "healthy": _grouped(layout, healthy),
        "layers": layers,
        "share_failing": round(cause.rate, 2),
        "considered": [
            {
                "scope": other.scope.value,
                "subject": {"kind": other.subject.kind, "id": other.subject.id},
                "behind_nats": round(cause.rank - other.rank, 1),
            }
            for other in lost
        ],
    }


def _grouped(layout: Layout, agents: Index) -> dict[str, Any]:
    regions: dict[str, int] = {}
    networks: dict[str, int] = {}
    for agent in agents:
        region, network = layout.regions[layout.region[agent]], str(layout.asns[layout.network[agent]])
        regions[region] = regions.get(region, 0) + 1
        networks[network] = networks.get(network, 0) + 1
    return {"agents": len(agents), "regions": regions, "networks": networks}
