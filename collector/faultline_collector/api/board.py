"""The board: what the public reads, as bytes that are made once a change and never per viewer."""

from collections.abc import Iterable, Mapping

from faultline_collector.api.answers import (
    AgentsAnswer,
    OutageAnswer,
    OutagesAnswer,
    ServicesAnswer,
    StateAnswer,
    TargetsAnswer,
    outage_answer,
    target_answer,
)
from faultline_collector.api.events import Event, Events, event
from faultline_collector.api.picture import Picture, agent_answer, live_agents
from faultline_collector.api.prepared import Lazy, Prepared, prepare_answer
from faultline_collector.correlate.engine import Standing
from faultline_collector.fleet import Fleet
from faultline_collector.metrics import Metrics
from faultline_collector.outages import Outage, iso
from faultline_collector.presence import Presence

KEPT_US = 24 * 3600 * 1_000_000
"""How long an outage stays on the board after its end."""

BEAT_US = 5_000_000
"""How long readers may hear nothing from a board that is published to."""


class Board:
    """Takes what each tick found and holds the answers to it; all in the event loop.

    `turn` rises with every tick in which an outage changed.
    """

    def __init__(self, metrics: Metrics | None = None, *, most_readers: int = 5000) -> None:
        self.events = Events(metrics or Metrics(), most_readers=most_readers)
        self.services = Lazy(self._services)
        self.agents = Lazy(self._agents)
        self.targets = Lazy(self._targets)
        self.outages = Lazy(lambda: prepare_answer(OutagesAnswer(outages=self._rows)))
        self.open_outages = Lazy(self._open_outages)
        self.turn = 0
        self._picture = Picture()
        self._presences: Mapping[str, Presence] = {}
        self._ended: dict[str, Outage] = {}
        self._now_us = 0
        self._told_us = 0
        self._rows: list[OutageAnswer] = []
        self._last: StateAnswer | None = None
        self._show(0)

    @property
    def fleet(self) -> Fleet:
        """The fleet as last published."""
        return self._picture.fleet

    @property
    def presences(self) -> Mapping[str, Presence]:
        """What was last heard of each agent, as last published."""
        return self._presences

    @property
    def now_us(self) -> int:
        """When that was."""
        return self._now_us

    @property
    def outages_open(self) -> tuple[Outage, ...]:
        """The open outages as last published."""
        return self._picture.open_outages

    @property
    def shown(self) -> tuple[StateAnswer | None, Fleet]:
        """What the map shows, and of what fleet."""
        return self._last, self._picture.fleet

    @property
    def state(self) -> Prepared:
        """The map's bytes."""
        return self._state

    @property
    def state_event(self) -> Event:
        """The map's bytes as an event."""
        return self._state_event

    def is_listed(self, outage_id: str) -> bool:
        """Whether an outage is open or ended within a day."""
        return outage_id in self._ended or any(o.id == outage_id for o in self._picture.open_outages)

    def renew(self) -> None:
        """Notes that there is more to tell of some outage."""
        self.turn += 1

    def seed(self, ended: Iterable[Outage]) -> None:
        """Takes over outages that ended before the start."""
        self._ended |= {outage.id: outage for outage in ended if not outage.state.is_open}

    def publish(
        self,
        now_us: int,
        fleet: Fleet,
        standings: tuple[Standing, ...],
        open_outages: tuple[Outage, ...],
        changed_outages: Iterable[Outage],
        presences: Mapping[str, Presence],
    ) -> None:
        """Takes one tick; makes new bytes only of what changed and hands them to the readers."""
        changed = tuple(changed_outages)
        before, forgotten = self._picture, self._turn_over(now_us, open_outages, changed)
        self._picture = Picture(fleet, standings, open_outages, live_agents(presences, now_us))
        self._now_us, self._presences = now_us, presences
        self._expire(fleet is not before.fleet)
        self.turn += bool(changed)
        for outage in changed:
            row = outage_answer(outage).model_dump_json().encode()
            self._tell(event("outage", row, outage=outage))
        if forgotten or changed or self._picture != before:
            self._show(now_us)
        if now_us - self._told_us >= BEAT_US:
            self._tell(event("beat", b'{"at":"%s"}' % str(iso(now_us)).encode()))

    def close(self) -> None:
        """Ends every stream of events; call it before the web server stops."""
        self.events.close()

    def _turn_over(self, now_us: int, open_now: tuple[Outage, ...], changed: tuple[Outage, ...]) -> bool:
        self._ended |= {outage.id: outage for outage in changed if not outage.state.is_open}
        open_ids = {outage.id for outage in open_now}
        gone = [o.id for o in self._ended.values() if o.id in open_ids or _end(o) < now_us - KEPT_US]
        for outage_id in gone:
            del self._ended[outage_id]
        return bool(gone)

    def _expire(self, refitted: bool) -> None:
        for answer in (self.services, self.agents):
            answer.expire()
        if refitted:
            self.targets.expire()

    def _show(self, now_us: int) -> None:
        answer = self._answer(now_us)
        if answer is None:
            return
        self._last = answer
        self._state = prepare_answer(answer)
        self._state_event = event("state", self._state.body, version=answer.version)
        self._rows = answer.outages
        self.outages.expire()
        self.open_outages.expire()
        self._tell(self._state_event)

    def _tell(self, change: Event) -> None:
        self._told_us = self._now_us
        self.events.send(change)

    def _answer(self, now_us: int) -> StateAnswer | None:
        listed = [*self._picture.open_outages, *self._ended.values()]
        last = self._last
        answer = StateAnswer(
            version=last.version if last else 0,
            at=last.at if last else str(iso(now_us)),
            regions=self._picture.regions(),
            services=self._picture.services(),
            networks=self._picture.networks(),
            providers=self._picture.providers(),
            outages=[outage_answer(o) for o in sorted(listed, key=lambda o: (-o.detected_us, o.id))],
        )
        if answer == last:
            return None
        return answer.model_copy(update={"version": answer.version + 1, "at": str(iso(now_us))})

    def _services(self) -> Prepared:
        return prepare_answer(ServicesAnswer(services=self._picture.services_by_region()))

    def _agents(self) -> Prepared:
        rows = [
            agent_answer(agent, self._presences.get(agent.id, Presence(agent.id)), self._now_us)
            for agent in self._picture.fleet.agents
        ]
        return prepare_answer(AgentsAnswer(agents=rows))

    def _targets(self) -> Prepared:
        return prepare_answer(TargetsAnswer(targets=[target_answer(t) for t in self._picture.fleet.targets]))

    def _open_outages(self) -> Prepared:
        ids = {outage.id for outage in self._picture.open_outages}
        return prepare_answer(OutagesAnswer(outages=[row for row in self._rows if row.id in ids]))


def _end(outage: Outage) -> int:
    return outage.resolved_us or outage.changed_us
