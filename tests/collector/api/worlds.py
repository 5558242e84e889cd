"""A small world for the tests of the API and its commands: two regions of India and one of the US."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette

from faultline.config import parse_data
from faultline.outcomes import Outcome
from faultline_collector.api.board import Board
from faultline_collector.api.health import Health as Wellbeing
from faultline_collector.api.history import History
from faultline_collector.api.pool import Pool
from faultline_collector.api.site import Site
from faultline_collector.api.web import web_app
from faultline_collector.config import CollectorConfig
from faultline_collector.correlate.engine import Health, Standing
from faultline_collector.fleet import Fleet
from faultline_collector.metrics import Metrics
from faultline_collector.outages import Outage, Scope, State, Subject
from faultline_collector.presence import Presence
from faultline_collector.registry.registry import Registry
from faultline_collector.results import ResultBatch, Source
from faultline_collector.stores.memory import MemoryStore
from faultline_collector.stores.store import ReceivedRange, Store

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
NOW_US = 1_800_000_000 * SECOND_US
AGENTS = ("east-1", "us-1", "west-1")
REGIONS = ("in-east", "in-west", "us-west")


def _target(target_id: str, **more: object) -> dict[str, object]:
    return {"id": target_id, "kind": "http", "interval": "30s", "url": f"http://{target_id}.test/"} | more


CONFIG: dict[str, object] = {
    "regions": [
        {"id": "in-west", "name": "West India", "country": "IN", "latitude": 19.1, "longitude": 72.9},
        {"id": "in-east", "name": "East India", "country": "IN", "latitude": 22.6, "longitude": 88.4},
        {"id": "us-west", "name": "West US", "country": "US", "latitude": 37.4, "longitude": -122.1},
    ],
    "networks": [{"asn": 55836, "name": "Jio"}, {"asn": 7018, "name": "AT&T"}],
    "providers": [{"id": "edgeline", "name": "Edgeline"}],
    "services": [
        {
            "id": "twitter",
            "name": "Twitter",
            "provider": "edgeline",
            "components": [
                {"id": "web", "targets": [_target("twitter-web")]},
                {"id": "login", "targets": [_target("twitter-login")]},
            ],
        },
        {"id": "bank", "name": "Bank", "components": [{"id": "web", "targets": [_target("bank-web")]}]},
        {
            "id": "rail",
            "components": [{"id": "web", "targets": [_target("rail-web", regions=["in-east", "in-west"])]}],
        },
    ],
}


def outage(outage_id: str = "o-1", **changes: Any) -> Outage:
    """Twitter fails in India since a minute, confirmed; fields by name replace its own."""
    made = Outage(
        id=outage_id,
        state=State.CONFIRMED,
        scope=Scope.REGIONAL,
        subject=Subject("service", "twitter"),
        target_ids=("twitter-login", "twitter-web"),
        regions=("in-east", "in-west"),
        asns=(),
        layer="http",
        severity="down",
        confidence=0.991,
        onset_us=NOW_US - MINUTE_US,
        onset_after_us=NOW_US - MINUTE_US - 5 * SECOND_US,
        onset_before_us=NOW_US - MINUTE_US + 5 * SECOND_US,
        detected_us=NOW_US - 50 * SECOND_US,
        confirmed_us=NOW_US - 40 * SECOND_US,
        changed_us=NOW_US - 40 * SECOND_US,
        why="twitter fails in in-east and in-west (login and web), not elsewhere: "
        "the servers answer with errors; 2 of 3 agents in 2 regions on 1 network fail.",
        evidence={
            "failing": {"agents": 2, "regions": {"in-east": 1, "in-west": 1}},
            "considered": [
                {
                    "scope": "provider",
                    "subject": {"kind": "provider", "id": "edgeline"},
                    "behind_nats": 12.5,
                }
            ],
        },
    )
    return replace(made, **changes)


def ended(outage_id: str, at_us: int) -> Outage:
    """An outage that was resolved at `at_us`."""
    return outage(outage_id, detected_us=at_us - MINUTE_US).with_state(State.RESOLVED, at_us)


def standings(**regions: Health) -> tuple[Standing, ...]:
    """Twitter as the regions by name (with `_` for `-`) see it, ok elsewhere; all else is ok."""
    seen = {name.replace("_", "-"): health for name, health in regions.items()}
    return tuple(
        Standing(service, region, seen.get(region, Health.OK) if service == "twitter" else Health.OK, 1, 0)
        for service in ("bank", "rail", "twitter")
        for region in REGIONS
        if service != "rail" or region != "us-west"
    )


def present(*agent_ids: str, now_us: int = NOW_US) -> dict[str, Presence]:
    """The agents as seen a second ago."""
    return {
        agent_id: Presence(agent_id, last_seen_us=now_us - SECOND_US, connected=True, version="0.1.0")
        for agent_id in agent_ids
    }


def results(
    *outcomes: Outcome,
    agent: str = "west-1",
    target: str = "twitter-web",
    first: int = 1,
    start_us: int = NOW_US - 30 * MINUTE_US,
    apart_us: int = 10 * SECOND_US,
    flags: int = 0,
) -> ResultBatch:
    """Results of one agent and target, ten seconds apart; a failed one says why."""
    n = len(outcomes)
    started = start_us + np.arange(n, dtype=np.int64) * apart_us
    return ResultBatch(
        sources=(Source(agent, "spool-1"),),
        source=np.zeros(n, np.int32),
        target_ids=(target,),
        target=np.zeros(n, np.int32),
        sequence=np.arange(first, first + n, dtype=np.uint64),
        started_us=started - 2000,
        offset_us=np.full(n, 2000, np.int64),
        received_us=started + SECOND_US,
        attempt=np.zeros(n, np.uint8),
        outcome=np.array(outcomes, np.uint8),
        status=np.array([200 if o is Outcome.OK else 503 for o in outcomes], np.uint16),
        family=np.full(n, 4, np.uint8),
        flags=np.full(n, flags, np.uint8),
        timings_us={"total": np.full(n, 1500, np.int32), "tls": np.full(n, -1, np.int32)},
        details=("status 503 is not 200",),
        detail=np.array([0 if o.failed else -1 for o in outcomes], np.int32),
    )


@dataclass(frozen=True, slots=True)
class World:
    """A board, a registry and a store that know each other; `publish` stands for a tick."""

    board: Board
    registry: Registry
    store: Store
    history: History
    metrics: Metrics
    wellbeing: Wellbeing
    fleet: Fleet
    app: Starlette
    folder: Path

    def publish(
        self,
        *,
        seen: Sequence[Standing] = standings(),
        open_now: Iterable[Outage] = (),
        changed: Iterable[Outage] = (),
        live: Iterable[str] = AGENTS,
        at_us: int = NOW_US,
    ) -> None:
        """Publishes a tick, as the collector does: the registry first."""
        changes = tuple(changed)
        self.registry.save_outages(changes)
        self.board.publish(
            at_us, self.fleet, tuple(seen), tuple(open_now), changes, present(*live, now_us=at_us)
        )

    def keep(self, *batches: ResultBatch) -> None:
        """Stores results."""
        for batch in batches:
            first, last = int(batch.sequence[0]), int(batch.sequence[-1])
            self.store.append(batch, [ReceivedRange(batch.sources[0], first, last)], self.fleet)

    def lose_registry(self) -> None:
        """Takes the registry's database away."""
        self.registry.close()
        (self.folder / "registry.db").unlink()

    def close(self) -> None:
        """Ends everything."""
        self.board.close()
        self.history.close()
        self.registry.close()
        self.store.close()


def make_world(
    folder: Path,
    *,
    most_readers: int = 5000,
    heartbeat_s: float = 15.0,
    pool: Pool | None = None,
    streams: Pool | None = None,
    site: Site | None = None,
    store: Store | None = None,
    clock_us: int | None = NOW_US,
) -> World:
    """A world at rest with three agents, before its first tick."""
    registry = Registry(f"sqlite:///{folder / 'registry.db'}")
    registry.apply(parse_data(CONFIG, CollectorConfig, "config"))
    for agent_id, region, asn in zip(
        AGENTS, ("in-east", "us-west", "in-west"), (55836, 7018, 55836), strict=True
    ):
        registry.add_agent(agent_id, region=region, asn=asn)
    metrics, wellbeing, kept = Metrics(), Wellbeing(), store or MemoryStore()
    board = Board(metrics, most_readers=most_readers)
    clock: dict[str, Any] = {} if clock_us is None else {"clock": lambda: clock_us}
    history = History(board, kept, registry, pool=pool, streams=streams, **clock)
    app = web_app(
        board,
        history,
        metrics,
        wellbeing,
        site=site or Site(folder / "no-page"),
        heartbeat_s=heartbeat_s,
        **clock,
    )
    return World(board, registry, kept, history, metrics, wellbeing, registry.fleet(), app, folder)


async def until(condition: Callable[[], bool]) -> None:
    """Waits, in the loop, for a condition to hold; the caller sets the deadline."""
    while not condition():  # noqa: ASYNC110 - the condition is the server's own
        await asyncio.sleep(0.002)
