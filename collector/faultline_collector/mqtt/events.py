"""Services and outages as retained MQTT messages, and the JSON Schema of both."""

import asyncio
import json
from collections.abc import Callable
from typing import NoReturn

import aiomqtt
import structlog
from pydantic.json_schema import models_json_schema

from faultline import topics
from faultline.mqtt import NotAllowed, publication
from faultline_collector.api.answers import OutageAnswer, ServiceState, StateAnswer
from faultline_collector.fleet import Fleet
from faultline_collector.metrics import Metrics
from faultline_collector.mqtt.broker import Broker, Hearing
from faultline_collector.mqtt.retained import Retained

_log = structlog.get_logger("mqtt")

MOST_OUTAGES = 1_000
"""Most open outages that are retained, the newest."""

_LOOK_S, _REFUSED_S = 0.5, 30.0


class ServiceEvent(ServiceState):
    """A service as the map shows it, and the open outages that touch it."""

    outages: list[str]


class OutageEvent(OutageAnswer):
    """An outage in the shape of the API."""


Wanted = tuple[dict[str, bytes], dict[str, bytes]]


def events_of(shown: StateAnswer, fleet: Fleet) -> Wanted:
    """What is to be retained, by topic, and the last states of outages that have ended."""
    service_of = {target.id: target.service for target in fleet.targets}
    touching: dict[str, list[str]] = {}
    opened: dict[str, bytes] = {}
    ended: dict[str, bytes] = {}
    for outage in shown.outages:
        payload = OutageEvent(**outage.model_dump()).model_dump_json().encode()
        if not outage.state.is_open:
            ended[topics.outage(outage.id)] = payload
        elif len(opened) < MOST_OUTAGES:
            opened[topics.outage(outage.id)] = payload
            for service_id in {service_of.get(target_id, "") for target_id in outage.target_ids}:
                touching.setdefault(service_id, []).append(outage.id)
    services = {
        topics.service(service.id): ServiceEvent(**service.model_dump(), outages=touching.get(service.id, []))
        .model_dump_json()
        .encode()
        for service in shown.services
    }
    return services | opened, ended


class Events:
    """Keeps what the broker retains in step with the board; `shown` gives what that shows of what fleet."""

    def __init__(
        self, broker: Broker, shown: Callable[[], tuple[StateAnswer | None, Fleet]], metrics: Metrics
    ) -> None:
        self._broker = broker
        self._shown = shown
        self._metrics = metrics
        self._retained = Retained()
        self._stale = True
        mine = (topics.service(""), topics.outage(""))
        wanted = (topics.service("+"), topics.outage("+"))
        broker.hearings.append(Hearing(wanted, mine, self.take, self.again))

    def take(self, message: aiomqtt.Message) -> None:
        """Notes what the broker retains, also of an earlier collector."""
        if message.retain and message.payload:
            self._retained.found(str(message.topic))
            self._stale = True

    def again(self) -> None:
        """Says everything anew: the broker may have lost it."""
        self._retained.forget()
        self._stale = True

    async def run(self) -> NoReturn:
        """Publishes what changes."""
        last: StateAnswer | None = None
        while True:
            shown, fleet = self._shown()
            if shown is not None and (self._stale or shown is not last):
                last, self._stale = shown, False
                await self._publish(*events_of(shown, fleet))
            await asyncio.sleep(_LOOK_S)

    async def _publish(self, wanted: dict[str, bytes], ended: dict[str, bytes]) -> None:
        try:
            for event in list(self._retained.changes(wanted, ended)):
                properties = publication(of_use_s=0)
                await self._broker.publish(event.topic, event.payload, properties, retain=event.retain)
                self._retained.note(event)
                self._metrics.mqtt_events.inc()
        except NotAllowed as error:
            _log.error("broker refuses events", problem=str(error))
            self._stale = True
            await asyncio.sleep(_REFUSED_S)


def schema_text() -> str:
    """The JSON Schema of both kinds of events, as it is shipped."""
    _, definitions = models_json_schema(
        [(ServiceEvent, "serialization"), (OutageEvent, "serialization")], title="Faultline's MQTT events"
    )
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(head | definitions, indent=2) + "\n"
