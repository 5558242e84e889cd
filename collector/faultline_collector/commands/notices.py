"""`faultline notices`: what was sent, what waits, what failed. It reads the registry itself."""

from pathlib import Path

import click

from faultline_collector.commands.agents_admin import config_option, open_registry
from faultline_collector.commands.asking import json_option, utc_option, when
from faultline_collector.commands.tables import print_json, show
from faultline_collector.notify.fate import Fate
from faultline_collector.notify.outbox import Delivery, Outbox
from faultline_collector.outages import iso

_COLUMNS = ("AT", "RECEIVER", "FATE", "KIND", "SUBJECT", "TRIES", "SAID")


@click.command()
@click.option("--fate", type=click.Choice([f.value for f in Fate]), help="Only those that stand so.")
@click.option("--outage", default="", metavar="ID", help="Only those of one outage.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most so many."
)
@config_option
@json_option
@utc_option
def notices(path: Path, fate: str | None, outage: str, limit: int, as_json: bool, utc: bool) -> None:
    """Show notices and what became of them, newest first. Works with and without a running collector."""
    with open_registry(path) as registry:
        found = Outbox(registry.engine).deliveries(
            fate=Fate(fate) if fate else None, outage=outage, limit=limit
        )
    if as_json:
        for delivery in found:
            print_json(_json(delivery))
    else:
        show(_COLUMNS, (_row(delivery, utc=utc) for delivery in found), empty="No notice was made yet.")


def _row(delivery: Delivery, *, utc: bool) -> tuple[str, ...]:
    notice = delivery.notice
    subject = f"{notice.outage.subject.id} ({notice.outage.scope.value})"
    at = when(notice.at, utc=utc)
    said = f"{delivery.said} [{notice.id}]".strip()
    fate = delivery.fate.value
    return at, delivery.receiver, fate, notice.kind.value, subject, str(delivery.tries), said


def _json(delivery: Delivery) -> dict[str, object]:
    return {
        "notice": delivery.notice.id,
        "outage": delivery.notice.outage.id,
        "receiver": delivery.receiver,
        "kind": delivery.notice.kind.value,
        "at": delivery.notice.at,
        "fate": delivery.fate.value,
        "tries": delivery.tries,
        "due_at": iso(delivery.due_us),
        "ended_at": iso(delivery.ended_us),
        "said": delivery.said,
        "document": delivery.notice.model_dump(mode="json"),
    }
