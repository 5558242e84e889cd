"""Time from a fault injected into the lab to `suspected` and `confirmed`, as the API tells them.

FAULTLINE_INJECTIONS says how many a scope (20); each at a random moment of the probes' interval, one scope
after another in turn, so that what fails is seldom what has just failed.
"""

import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from random import Random

from faultline_collector.lab.control import ask, fault_data
from faultline_collector.lab.faults import Fault
from faultline_collector.lab.world import World, make_world
from faultline_collector.outages import Scope
from tests.bench.rows import Row
from tests.e2e.demo import Demo, Verdict, running, verdict_of

INJECTIONS = int(os.environ.get("FAULTLINE_INJECTIONS", "20"))
READY_S = 300.0
PATIENCE_S = 60.0
QUIET_S = 240.0
INTERVAL_S = 5.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault, and what should be said of it; subject "" stands for any."""

    fault: Fault
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds from one fault to what was said, and from its end to quiet; None where that was not in time."""

    suspected: float | None
    confirmed: float | None
    quiet: float | None


def injections(world: World, random: Random) -> dict[str, list[Injection]]:
    """What is injected, by scope; subjects are drawn without replacement while there are any."""
    services = _drawn([p.id for p in world.products if len(p.parts) > 1], random)
    alone = _drawn([p.id for p in world.products], random)
    countries = cycle(sorted({place.country for place in world.places}))
    return {
        "global": [_of(Scope.GLOBAL, s) for s in alone],
        "regional": [
            Injection(Fault(Scope.REGIONAL, s, regions=_regions(world, next(countries))), ("regional", s))
            for s in services
        ],
        "network": [_of(Scope.NETWORK, n) for n in _drawn([str(c.asn) for c in world.carriers], random)],
        "provider": [_of(Scope.PROVIDER, p) for p in _drawn(list(world.providers), random)],
        "agent": [_of(Scope.AGENT, a) for a in _drawn([v.id for v in world.vantages], random)],
        "collector": [Injection(Fault(Scope.COLLECTOR), ("collector", ""))] * INJECTIONS,
    }


def _of(scope: Scope, subject: str) -> Injection:
    return Injection(Fault(scope, subject), (scope.value, subject))


def _regions(world: World, country: str) -> tuple[str, ...]:
    return tuple(place.id for place in world.places if place.country == country)


def _drawn(names: list[str], random: Random) -> list[str]:
    return list(islice(cycle(random.sample(names, len(names))), INJECTIONS))


def measure(demo: Demo, injection: Injection) -> Delays:
    """Injects, waits for both words, makes all whole and waits until it is quiet."""
    began = time.monotonic()
    ask(demo.folder, {"do": "inject", "fault": fault_data(injection.fault)})
    suspected = confirmed = None
    while confirmed is None and time.monotonic() - began < PATIENCE_S:
        state = _state_of(demo, injection.verdict)
        now = time.monotonic() - began
        if state is not None and suspected is None:
            suspected = now
        if state == "confirmed":
            confirmed = now
        time.sleep(_POLL_S)
    demo.fault("clear")
    return Delays(suspected, confirmed, _until_quiet(demo))


def _until_quiet(demo: Demo) -> float | None:
    began = time.monotonic()
    try:
        demo.await_quiet(QUIET_S)
    except AssertionError as error:
        print(error, flush=True)
        return None
    return time.monotonic() - began


_WORDS = {"suspected": "suspected", "confirmed": "confirmed", "flapping": "confirmed"}
"""What fails again and again, as here, may be told as flapping: it is as sure."""


def _state_of(demo: Demo, verdict: Verdict) -> str | None:
    scope, subject = verdict
    for outage in demo.outages():
        said = verdict_of(outage)
        if outage["state"] in _WORDS and said[0] == scope and subject in ("", said[1]):
            return _WORDS[outage["state"]]
    return None


def rows(scope: str, delays: list[Delays]) -> Iterator[Row]:
    """The figures of one scope."""
    for word in ("suspected", "confirmed", "quiet"):
        told = [seconds for d in delays if (seconds := getattr(d, word)) is not None]
        if told:
            yield Row(name=f"{scope}.{word}.p50", value=statistics.median(told), unit="s")
            yield Row(name=f"{scope}.{word}.p95", value=_p95(told), unit="s")
    missed = sum(d.confirmed is None or d.quiet is None for d in delays)
    yield Row(name=f"{scope}.missed", value=missed, unit=f"of {len(delays)}")


def _p95(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, round(0.95 * (len(values) - 1)))]


def run() -> list[Row]:
    """All scopes, one injection after another."""
    random = Random(20221229)
    found: list[Row] = []
    with running(["lab", "run"], Path("build/bench-lab"), READY_S) as demo:
        found.append(Row(name="ready", value=time.monotonic() - demo.started, unit="s"))
        demo.until(lambda: _all_fine(demo), QUIET_S, "every region fine")
        wanted = injections(make_world(), random)
        delays: dict[str, list[Delays]] = {scope: [] for scope in wanted}
        for turn in zip(*wanted.values(), strict=True):
            for scope, injection in zip(wanted, turn, strict=True):
                time.sleep(random.uniform(0, INTERVAL_S))
                delays[scope].append(measure(demo, injection))
                print(f"{scope} {injection.verdict[1]}: {delays[scope][-1]}", flush=True)
    for scope, those in delays.items():
        found += rows(scope, those)
    found += rows("all", [one for those in delays.values() for one in those])
    return found


def _all_fine(demo: Demo) -> bool | None:
    return all(region["health"] == "ok" for region in demo.state()["regions"]) or None
