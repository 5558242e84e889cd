"""Services and outages as retained messages at a real broker."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import jsonschema
import pytest

from faultline.mqtt import Connection, connected
from faultline_collector.api.answers import ComponentState, ServiceState, StateAnswer, outage_answer
from faultline_collector.correlate.engine import Health
from faultline_collector.fleet import Fleet
from faultline_collector.metrics import Metrics
from faultline_collector.mqtt import events as module
from faultline_collector.mqtt.broker import Broker
from faultline_collector.mqtt.events import Events, events_of, schema_text
from faultline_collector.outages import Outage, State
from tests.agent.stage import DEADLINE_S, eventually
from tests.collector.app.parts import outage
from tests.collector.ingest.worlds import FLEET
from tests.collector.mqtt.carried import QUICK, access_of
from tests.servers.mosquitto import COLLECTOR, READER, Mosquitto

COMER = "late-comer"
SERVICE, OUTAGE = "faultline/v1/services/{}", "faultline/v1/outages/{}"


def state(*outages: Outage, services: tuple[str, ...] = ("twitter",)) -> StateAnswer:
    """What the map shows: services that are up, and these outages."""
    return StateAnswer(
        version=1,
        at="2026-11-22T00:00:00.000+00:00",
        regions=[],
        services=[
            ServiceState(
                id=name, name=name, provider="", health=Health.OK,
                components=[ComponentState(id="web", health=Health.OK)],
            )
            for name in services
        ],
        networks=[],
        providers=[],
        outages=[outage_answer(one) for one in outages],
    )  # fmt: skip


@pytest.fixture(autouse=True)
def two_readers(request: pytest.FixtureRequest) -> None:
    """Every user has one connection: a second reader is a second user."""
    for name in {"mosquitto", "broker"}.intersection(request.fixturenames):
        server: Mosquitto = request.getfixturevalue(name)
        acl = server.folder / "acl"
        if COMER not in acl.read_text():
            acl.write_text(f"{acl.read_text()}\nuser {COMER}\ntopic read faultline/v1/#\n")
        server.password(COMER)


@dataclass
class Shown:
    """A board whose picture a test sets."""

    state: StateAnswer | None = None
    fleet: Fleet = FLEET

    def __call__(self) -> tuple[StateAnswer | None, Fleet]:
        """The picture."""
        return self.state, self.fleet


@dataclass
class Reader:
    """Somebody who reads events: the last payload of each topic, and every one that came."""

    connection: Connection
    last: dict[str, bytes] = field(default_factory=dict)
    heard: list[tuple[str, bytes]] = field(default_factory=list)

    async def listen(self) -> None:
        """Reads for ever."""
        while True:
            message = await self.connection.next()
            self.heard.append((str(message.topic), message.payload))
            self.last[str(message.topic)] = message.payload


@asynccontextmanager
async def reading(server: Mosquitto, user: str = READER) -> AsyncIterator[Reader]:
    """A reader that has just come, and is told what is retained."""
    async with connected(access_of(server, user), 1_000) as connection:
        await connection.subscribe("faultline/v1/services/+", "faultline/v1/outages/+")
        reader = Reader(connection)
        listening = asyncio.create_task(reader.listen())
        try:
            yield reader
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening


@asynccontextmanager
async def publishing(server: Mosquitto, shown: Shown, user: str = COLLECTOR) -> AsyncIterator[Events]:
    """A collector's events."""
    broker = Broker(access_of(server, user), Metrics(), backoff=QUICK)
    events = Events(broker, shown, Metrics())
    tasks = [asyncio.create_task(part) for part in (broker.run(), events.run())]
    try:
        yield events
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def retained(server: Mosquitto, is_so: Callable[[dict[str, bytes]], object]) -> None:
    """Waits until who comes newly is told so."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            async with reading(server, COMER) as reader:
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        while not is_so(reader.last):  # noqa: ASYNC110 - it tells nobody
                            await asyncio.sleep(0.01)
                        return


async def test_service_and_outage_are_retained_and_cleared(mosquitto: Mosquitto) -> None:
    """Who comes late is told what is; what ends is told once more and then forgotten."""
    shown = Shown(state(outage("o1"), services=("twitter", "mail")))
    async with publishing(mosquitto, shown), reading(mosquitto) as early:
        await retained(mosquitto, lambda last: set(last) == {
            SERVICE.format("twitter"), SERVICE.format("mail"), OUTAGE.format("o1"),
        })  # fmt: skip
        service = json.loads(early.last[SERVICE.format("twitter")])
        assert (service["health"], service["outages"]) == ("ok", ["o1"])
        shown.state = state(outage("o1", State.RESOLVED), services=("twitter",))
        await eventually(lambda: early.last[OUTAGE.format("o1")] == b"")
        told = [
            json.loads(said)["state"] for topic, said in early.heard if topic == OUTAGE.format("o1") and said
        ]
        assert told == ["suspected", "resolved"]
        await retained(mosquitto, lambda last: set(last) == {SERVICE.format("twitter")})


async def test_what_an_earlier_collector_left_is_cleared(mosquitto: Mosquitto) -> None:
    """It was killed; meanwhile the outage ended and the service went."""
    async with publishing(mosquitto, Shown(state(outage("o2"), services=("old",)))):
        await retained(mosquitto, lambda last: OUTAGE.format("o2") in last)
    async with publishing(mosquitto, Shown(state(services=("new",)))):
        await retained(mosquitto, lambda last: set(last) == {SERVICE.format("new")})


async def test_a_broker_that_forgot_is_told_again(broker: Mosquitto) -> None:
    """A kill takes what it had not written down."""
    async with publishing(broker, Shown(state(outage("o3")))):
        await retained(broker, lambda last: len(last) == 2)
        broker.kill()
        (broker.folder / "mosquitto.db").unlink(missing_ok=True)
        broker.start()
        await retained(broker, lambda last: set(last) == {SERVICE.format("twitter"), OUTAGE.format("o3")})


async def test_only_what_changed_is_published(broker: Mosquitto) -> None:
    """A tick without news costs the broker nothing."""
    shown = Shown(state(outage("o4"), services=("a", "b")))
    async with publishing(broker, shown) as events:
        topics = {SERVICE.format("a"), SERVICE.format("b"), OUTAGE.format("o4")}
        await retained(broker, lambda last: set(last) == topics)
        async with reading(broker) as reader:
            await eventually(lambda: {topic for topic, said in reader.last.items() if said} == topics)
            count = len(reader.heard)
            shown.state = state(replace(outage("o4"), why="Now it is known."), services=("a", "b"))
            await eventually(lambda: len(reader.heard) > count)
            assert [topic for topic, _ in reader.heard[count:]] == [OUTAGE.format("o4")]
        assert events._metrics.registry.get_sample_value("faultline_mqtt_events_total")


async def test_a_broker_that_refuses_events_is_said_in_the_log(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its list of who may say what lacks a line; agents are taken all the same."""
    monkeypatch.setattr(module, "_REFUSED_S", 0.01)  # the reason for patching: a constant of time
    said = ""
    async with publishing(mosquitto, Shown(state(services=("a",))), user="faultline-reader"):
        async with asyncio.timeout(DEADLINE_S):
            while "broker refuses events" not in said:
                await asyncio.sleep(0.01)
                said += capsys.readouterr().out
    assert "refuses user 'faultline-reader' to publish on faultline/v1/services/a: not authorized" in said


def test_events_are_bounded_and_meet_the_shipped_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest open outages, in the shape that is written down."""
    monkeypatch.setattr(module, "MOST_OUTAGES", 2)  # the reason for patching: a bound
    opened = [replace(outage(f"o{i}"), target_ids=("web", "gone"), family=(0, 6, 4)[i]) for i in range(3)]
    wanted, ended = events_of(state(*opened, outage("x", State.WITHDRAWN)), FLEET)
    assert list(wanted) == [SERVICE.format("twitter"), OUTAGE.format("o0"), OUTAGE.format("o1")]
    assert list(ended) == [OUTAGE.format("x")]
    assert [json.loads(wanted[OUTAGE.format(name)])["family"] for name in ("o0", "o1")] == [None, 6]
    schema = json.loads(schema_text())
    for topic, payload in (wanted | ended).items():
        name = "ServiceEvent" if "/services/" in topic else "OutageEvent"
        part = {"$defs": schema["$defs"], "$ref": f"#/$defs/{name}"}
        jsonschema.Draft202012Validator(part).validate(json.loads(payload))
