"""What the tests of notices share: an outage's life, receivers, and an outbox with a registry."""

from dataclasses import replace
from typing import Any

from faultline.config import parse_data
from faultline_collector.fleet import Fleet, Target
from faultline_collector.notify.document import Notice, notices_of
from faultline_collector.notify.settings import NotifySettings
from faultline_collector.outages import Outage, Scope, State, Subject

SECOND_US = 1_000_000
NOW_US = 1_795_348_800 * SECOND_US

FLEET = Fleet(
    targets=tuple(
        Target(f"{service}-{part}", service, part, "edgeline", "http", 30.0)
        for service, part in (("bank", "web"), ("shop", "login"), ("shop", "web"))
    )
)


def outage(outage_id: str = "o-1", **changes: Any) -> Outage:
    """The shop fails in India, suspected; fields by name replace its own."""
    made = Outage(
        id=outage_id,
        state=State.SUSPECTED,
        scope=Scope.REGIONAL,
        subject=Subject("service", "shop"),
        target_ids=("shop-login", "shop-web"),
        regions=("in-east", "in-west"),
        asns=(),
        layer="http",
        severity="down",
        confidence=0.99,
        onset_us=NOW_US - 20 * SECOND_US,
        onset_after_us=NOW_US - 25 * SECOND_US,
        onset_before_us=NOW_US - 15 * SECOND_US,
        detected_us=NOW_US - 10 * SECOND_US,
        why="The shop fails in India.",
        changed_us=NOW_US - 10 * SECOND_US,
    )
    return replace(made, **changes)


def life(outage_id: str = "o-1", **changes: Any) -> tuple[Outage, Outage, Outage]:
    """Suspected, confirmed, resolved a minute later."""
    first = outage(outage_id, **changes)
    confirmed = first.with_state(State.CONFIRMED, NOW_US)
    return first, confirmed, confirmed.with_state(State.RESOLVED, NOW_US + 60 * SECOND_US)


def notice(**changes: Any) -> Notice:
    """The notice of a confirmed outage."""
    first, confirmed, _ = life(**changes)
    (made,) = notices_of(first, confirmed, FLEET)
    return made


def settings(**parts: Any) -> NotifySettings:
    """Two receivers of which nobody listens; parts by name replace or add."""
    receivers = [
        {"id": name, "kind": "webhook", "url": "http://127.0.0.1:9/", "secret_env": "S"}
        for name in ("ops", "web-team")
    ]
    return parse_data({"receivers": receivers} | parts, NotifySettings, "test")
