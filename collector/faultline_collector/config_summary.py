"""What a configuration holds, in numbers: the answer of `faultline check`."""

from typing import TypedDict

from sqlalchemy.engine import make_url

from faultline.durations import format_duration
from faultline_collector.config import CollectorConfig


class Summary(TypedDict):
    """Counts, places, and the load on each agent by region."""

    services: int
    components: int
    targets: int
    regions: int
    networks: int
    providers: int
    probes_per_second: dict[str, float]
    store: str
    registry: str
    agents_at: str
    web_at: str
    broker: str
    retention: str
    rollups: str


def summarise(config: CollectorConfig) -> Summary:
    """The summary of a configuration; `probes_per_second` is what each agent of a region is to do."""
    fleet = config.fleet()
    load = {
        region.id: sum(1 / t.interval_s for t in fleet.targets if not t.regions or region.id in t.regions)
        for region in fleet.regions
    }
    return Summary(
        services=len(fleet.services),
        components=sum(len(service.components) for service in fleet.services),
        targets=len(fleet.targets),
        regions=len(fleet.regions),
        networks=len(fleet.networks),
        providers=len(fleet.providers),
        probes_per_second={region: round(rate, 3) for region, rate in load.items()},
        store=config.store,
        registry=make_url(config.registry).render_as_string(hide_password=True),
        agents_at=config.listen.agents,
        web_at=config.listen.web,
        broker=config.broker.url if config.broker is not None else "",
        retention=format_duration(config.retention.raw),
        rollups=format_duration(config.retention.rollups),
    )


def summary_lines(summary: Summary) -> list[str]:
    """The summary as people read it."""
    rates = summary["probes_per_second"].values()
    low, high = min(rates), max(rates)
    load = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return [
        f"probed     {_many(summary['services'], 'service')}, {_many(summary['components'], 'component')}, "
        f"{_many(summary['targets'], 'target')}",
        f"from       {_many(summary['regions'], 'region')}, {_many(summary['networks'], 'network')}; "
        f"{_many(summary['providers'], 'provider')}",
        f"load       {load} probes a second for each agent",
        f"results    {summary['store']}, kept for {summary['retention']}, roll-ups for {summary['rollups']}",
        f"registry   {summary['registry']}",
        f"listens    agents at {summary['agents_at']}, web at {summary['web_at']}",
        *([f"broker     {summary['broker']}"] if summary["broker"] else []),
    ]


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
