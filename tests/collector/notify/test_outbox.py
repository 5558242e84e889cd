"""The outbox: what is put in, held back, due, repeated, dropped and forgotten."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import update

from faultline_collector.notify.document import Notice
from faultline_collector.notify.fate import Fate, Next
from faultline_collector.notify.outbox import Delivery, Outbox
from faultline_collector.notify.routes import Extent, Mute
from faultline_collector.notify.settings import NotifySettings
from faultline_collector.notify.tables import DeliveryRow
from faultline_collector.outages import Outage, Scope
from faultline_collector.registry.registry import Registry
from tests.collector.notify.worlds import FLEET, NOW_US, SECOND_US, life, settings

SENT = Next(Fate.SENT, None)
DAY_US = 24 * 3600 * SECOND_US


@dataclass
class Office:
    """A registry with its outbox, and a time that the test moves."""

    registry: Registry
    settings: NotifySettings = field(default_factory=settings)
    now_us: int = NOW_US
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.registry.engine, self._count)
        self.registry.steps.append(
            lambda session, before, after: self.outbox.take(
                session, before, after, fleet=FLEET, settings=self.settings, now_us=self.now_us
            )
        )

    def _count(self, receiver: str, fate: Fate) -> None:
        self.counted[receiver, fate.value] += 1

    def keep(self, *outages: Outage) -> None:
        """Keeps outages one after another."""
        for outage in outages:
            self.registry.save_outages([outage])

    def due(self, receiver: str = "ops", most: int = 10) -> list[Delivery]:
        """What is due."""
        return list(self.outbox.due(receiver, self.now_us, most))

    def kinds(self, receiver: str = "ops") -> list[str]:
        """The kinds of what is due."""
        return [delivery.notice.kind.value for delivery in self.due(receiver)]

    def send(self, receiver: str = "ops", found: Next = SENT) -> list[str]:
        """Marks all that is due, until nothing is; gives the kinds."""
        sent = []
        while due := self.due(receiver):
            for delivery in due:
                self.outbox.mark(delivery, found, self.now_us)
                sent.append(delivery.notice.kind.value)
        return sent

    def fates(self, receiver: str = "ops") -> list[tuple[str, str]]:
        """Kind and fate of everything, oldest first."""
        return [
            (d.notice.kind.value, d.fate.value)
            for d in self.outbox.deliveries()[::-1]
            if d.receiver == receiver
        ]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office whose registry is a file."""
    registry = Registry(f"sqlite:///{tmp_path}/registry.db")
    yield Office(registry)
    registry.close()


def test_every_receiver_gets_one_notice_a_step(office: Office) -> None:
    """Suspected makes none; confirmed and resolved one each, with the same id for everybody."""
    office.keep(*life())
    assert office.kinds() == ["confirmed"], "the end waits for the beginning"
    assert office.send("ops") == ["confirmed", "resolved"]
    assert office.send("web-team") == ["confirmed", "resolved"]
    ids = {(d.notice.kind, d.notice.id) for d in office.outbox.deliveries()}
    assert len(ids) == 2
    assert office.counted == {("ops", "sent"): 2, ("web-team", "sent"): 2}


def test_a_step_that_is_not_kept_makes_no_notice(office: Office) -> None:
    """Outage and notice are kept together or not at all."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    office.registry.steps.append(fail)
    with pytest.raises(ZeroDivisionError):
        office.keep(*life())
    office.registry.steps.pop()
    assert office.outbox.deliveries() == ()
    office.keep(*life())
    assert office.send() == ["confirmed", "resolved"]


def test_routes_choose_receivers_and_the_end_goes_to_all_who_were_told(office: Office) -> None:
    """A receiver of regional outages is told of the end also when the scope is another by then."""
    routes = [
        {"to": ["ops"], "scopes": ["regional"], "services": ["shop"]},
        {"to": ["web-team"], "regions": ["us-east"]},
    ]
    office.settings = settings(routes=routes)
    first, confirmed, resolved = life()
    office.keep(
        first, confirmed, replace(confirmed, scope=Scope.GLOBAL), replace(resolved, scope=Scope.GLOBAL)
    )
    assert office.send("ops") == ["confirmed", "changed", "resolved"]
    assert office.send("web-team") == []


def test_whom_an_outage_reaches_later_is_told_then(office: Office) -> None:
    """A confirmed outage may spread; who was told is told no more of it, and all are told of its end."""
    office.settings = settings(
        routes=[{"to": ["ops"], "regions": ["in-west"]}, {"to": ["web-team"], "regions": ["in-east"]}]
    )
    narrow, wide = life(regions=("in-west",), target_ids=("shop-web",)), life()
    office.keep(*narrow[:2])
    assert office.send("web-team") == []
    office.keep(wide[1], wide[1])
    assert office.send("web-team") == ["confirmed"]
    office.keep(wide[2])
    assert (office.send("ops"), office.send("web-team")) == (["confirmed", "resolved"], ["resolved"])
    assert len({d.notice.id for d in office.outbox.deliveries()}) == 2


def test_who_was_not_told_of_an_outage_is_not_told_of_its_end(office: Office) -> None:
    """Also when it spread to them only then, or routes were changed meanwhile."""
    office.settings = settings(routes=[{"to": ["ops"]}])
    office.keep(*life()[:2])
    office.settings = settings()
    office.keep(life()[2])
    assert (office.send("ops"), office.send("web-team")) == (["confirmed", "resolved"], [])


def test_what_spreads_beyond_its_mute_is_declared(office: Office) -> None:
    """Maintenance of the shop must not hide that the bank fails a moment later."""
    office.outbox.add_mute(shop_mute())
    _, confirmed, resolved = life()
    spread = replace(confirmed, target_ids=("bank-web", *confirmed.target_ids))
    office.keep(confirmed)
    assert office.outbox.release(office.settings, office.now_us) == 0
    office.keep(spread)
    assert office.outbox.release(office.settings, office.now_us) == 2
    (told,) = office.due()
    assert told.notice.services == ["bank", "shop"]
    office.keep(replace(resolved, target_ids=spread.target_ids))
    assert office.send() == ["confirmed", "resolved"]


def shop_mute(until_us: int | None = None) -> Mute:
    """A window for the shop."""
    return Mute(Extent(services=frozenset({"shop"})), NOW_US - SECOND_US, until_us, "new version")


def test_what_lies_within_a_mute_is_not_declared(office: Office) -> None:
    """Neither its beginning nor its end, when both lie within the window."""
    office.outbox.add_mute(shop_mute())
    office.keep(*life())
    assert office.send() == []
    assert office.fates() == [("confirmed", "muted"), ("resolved", "muted")]
    assert office.counted["ops", "muted"] == 2


def test_what_outlasts_its_mute_is_declared_when_it_ends(office: Office) -> None:
    """An outage that is still there after the maintenance is news."""
    number = office.outbox.add_mute(shop_mute())
    first, confirmed, resolved = life()
    office.keep(first, confirmed)
    assert office.outbox.release(office.settings, office.now_us) == 0
    assert office.outbox.end_mute(number, office.now_us)
    assert not office.outbox.end_mute(number, office.now_us)
    assert office.outbox.release(office.settings, office.now_us) == 2
    office.keep(resolved)
    assert office.send() == ["confirmed", "resolved"]


def test_the_end_of_what_was_told_passes_a_mute(office: Office) -> None:
    """Who was told of an outage is told of its end, also within a window."""
    first, confirmed, resolved = life()
    office.keep(first, confirmed)
    office.outbox.add_mute(shop_mute())
    office.keep(replace(confirmed, scope=Scope.GLOBAL))
    assert office.send() == ["confirmed"]
    office.keep(resolved)
    assert office.send() == ["resolved"]


def test_a_mute_holds_back_only_what_lies_wholly_within_it(office: Office) -> None:
    """Maintenance of the shop must not hide that the bank fails too."""
    office.settings = settings(
        mutes=[{"services": ["shop"], "since": "2026-01-01T00:00:00Z", "until": "2030-01-01T00:00:00Z"}]
    )
    office.keep(*life(target_ids=("bank-web", "shop-web"))[:2])
    assert office.send() == ["confirmed"]


def test_what_goes_on_is_repeated_until_something_newer_was_sent(office: Office) -> None:
    """A repeat is the same notice; the end stops it."""
    first, confirmed, resolved = life()
    office.keep(first, confirmed)
    (sent,) = office.due()
    office.outbox.mark(sent, Next(Fate.SENT, office.now_us + 60 * SECOND_US), office.now_us)
    assert office.due() == []
    office.now_us += 60 * SECOND_US
    (again,) = office.due()
    assert again.notice == sent.notice
    office.outbox.mark(again, Next(Fate.SENT, office.now_us, "refused"), office.now_us)
    office.keep(resolved)
    assert office.kinds() == ["resolved"], "nothing is repeated while its end waits"
    office.send()
    office.now_us += 3600 * SECOND_US
    assert office.due() == []
    assert office.counted == {("ops", "sent"): 2}


def test_a_failed_notice_lets_the_next_pass(office: Office) -> None:
    """What was given up blocks nothing."""
    office.keep(*life())
    (first,) = office.due()
    office.outbox.mark(first, Next(Fate.FAILED, None, "answered 400"), office.now_us)
    assert office.send() == ["resolved"]
    assert office.counted == {("ops", "failed"): 1, ("ops", "sent"): 1}


def test_beyond_its_bound_the_oldest_is_dropped_and_counted(office: Office) -> None:
    """What is new matters more than what is old."""
    office.settings = settings(most_waiting=4)
    for i in range(4):
        office.keep(*life(f"o-{i}")[:2])
    assert [fate for _, fate in office.fates()] == ["dropped", "dropped", "waiting", "waiting"]
    assert office.counted == {("ops", "dropped"): 2, ("web-team", "dropped"): 2}
    assert office.outbox.waiting() == {"ops": (2, NOW_US), "web-team": (2, NOW_US)}


def test_a_dropped_notice_stays_dropped_when_its_try_ends(office: Office) -> None:
    """The try was under way while it was dropped; nothing is counted twice."""
    office.keep(*life()[:2])
    (tried,) = office.due()
    office.settings = settings(most_waiting=1)
    office.keep(*life("o-2")[:2])
    office.outbox.mark(tried, SENT, office.now_us)
    assert office.fates()[0] == ("confirmed", "dropped")
    assert office.counted["ops", "sent"] == 0


def test_old_notices_and_those_for_nobody_are_swept(office: Office) -> None:
    """What was sent is listed for a while; what waits for a receiver that is no more has failed."""
    office.keep(*life())
    office.send("ops")
    office.settings = settings(
        receivers=[{"id": "ops", "kind": "webhook", "url": "https://x", "secret_env": "S"}]
    )
    office.outbox.sweep(office.settings, office.now_us)
    assert office.fates("web-team") == [("confirmed", "failed"), ("resolved", "failed")]
    assert len(office.outbox.deliveries()) == 4
    office.outbox.sweep(office.settings, office.now_us + 31 * 24 * 3600 * SECOND_US)
    assert office.outbox.deliveries() == ()


def test_the_end_of_what_lasts_longer_than_notices_are_listed_is_told(office: Office) -> None:
    """Who was told of it is remembered for as long as it goes on, also when its scope is another by then."""
    office.settings = settings(routes=[{"to": ["ops"], "scopes": ["regional"]}], keep="1d")
    _, confirmed, resolved = life()
    office.keep(confirmed)
    office.send()
    office.now_us += 40 * DAY_US
    office.outbox.sweep(office.settings, office.now_us)
    office.keep(replace(resolved, scope=Scope.GLOBAL))
    assert office.send() == ["resolved"]
    office.outbox.sweep(office.settings, office.now_us + 2 * DAY_US)
    assert office.outbox.deliveries() == ()


def test_what_was_repeated_for_a_receiver_that_is_no_more_is_forgotten(office: Office) -> None:
    """It is due for ever, and nobody tries it."""
    office.keep(*life()[:2])
    office.send(found=Next(Fate.SENT, office.now_us + SECOND_US))
    office.keep(life()[2])
    office.settings = settings(receivers=[])
    office.outbox.sweep(office.settings, office.now_us)
    office.outbox.sweep(office.settings, office.now_us + 31 * DAY_US)
    assert office.outbox.deliveries() == ()


@pytest.mark.parametrize("muted", [False, True], ids=["waiting", "held"])
def test_a_notice_that_cannot_be_read_fails_and_holds_up_nothing(office: Office, muted: bool) -> None:
    """Another version may have written it; it is counted, and the collector lives."""
    if muted:
        office.outbox.add_mute(shop_mute(NOW_US + SECOND_US))
    _, confirmed, resolved = life()
    office.keep(confirmed)
    with office.registry.engine.begin() as connection:
        connection.execute(update(DeliveryRow).values(body='{"version": 2}'))
    assert office.outbox.deliveries() == ()
    office.keep(replace(confirmed, regions=(*confirmed.regions, "us-east")))
    office.now_us += SECOND_US
    office.outbox.release(office.settings, office.now_us)
    assert office.due() == []
    assert office.counted == {("ops", "failed"): 1}
    office.keep(resolved)
    assert office.send() == ["resolved"]


def test_a_notice_of_the_first_version_can_still_be_read() -> None:
    """An outbox outlives an update of the collector: what is new in the form must have a default."""
    body = Path(__file__).with_name("notice.json").read_text()
    assert Notice.model_validate_json(body).outage.subject.id == "shop"


def test_deliveries_are_listed_by_fate_and_outage(office: Office) -> None:
    """Newest first."""
    office.keep(*life("o-1"), *life("o-2"))
    office.send("ops")
    listed = office.outbox.deliveries(fate=Fate.WAITING, outage="o-2")
    assert [(d.receiver, d.notice.kind.value) for d in listed] == [
        ("web-team", "resolved"),
        ("web-team", "confirmed"),
    ]
    assert len(office.outbox.deliveries(limit=3)) == 3
