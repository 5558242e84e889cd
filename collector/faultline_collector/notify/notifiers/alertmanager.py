"""Alertmanager, its API v2: an alert an outage, told again while it goes on, ended when it ends."""

import json
from base64 import b64encode
from datetime import timedelta
from typing import Annotated, ClassVar, Self, TypedDict

from pydantic import Field, model_validator

from faultline.durations import Duration
from faultline_collector.notify.document import Notice
from faultline_collector.notify.fate import NotDelivered
from faultline_collector.notify.notifiers.posting import Poster, url_problem
from faultline_collector.notify.secrets import SecretSettings
from faultline_collector.outages import iso

ALERT_NAME = "FaultlineOutage"
PATH = "/api/v2/alerts"


class AlertmanagerSettings(SecretSettings):
    """Posts alerts to an Alertmanager; the secret, where one is named, is a password or a bearer token."""

    url: Annotated[str, Field(description="where it answers; https, or http to this machine")]
    username: Annotated[str, Field(description="of the password; empty: the secret is a bearer token")] = ""
    repeat: Annotated[Duration, Field(description="how often what goes on is told again")] = timedelta(
        minutes=1
    )
    lasts: Annotated[
        Duration, Field(description="how long an alert lasts that is not told again; beyond `repeat`")
    ] = timedelta(minutes=5)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if said := url_problem(self.url):
            raise ValueError(said)
        if self.repeat < timedelta(seconds=1):
            raise ValueError("repeat must be 1s or longer")
        if self.lasts <= self.repeat:
            raise ValueError("lasts must be longer than repeat, or alerts would end and begin again")
        if self.username and not self.has_secret:
            raise ValueError("username needs secret_file or secret_env with its password")
        return self


class Alert(TypedDict):
    """A postable alert of the API v2; labels are its identity."""

    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: str
    endsAt: str


def alerts_of(notice: Notice, now_us: int, lasts_us: int) -> list[Alert]:
    """The alerts of a notice; an outage that is taken for something else ends the alert of what it was."""
    outage, subject = notice.outage, notice.outage.subject
    ended = (outage.resolved_at or notice.at) if notice.kind.is_end else None
    open_until = str(iso(now_us + lasts_us))
    alerts = [
        _alert(notice, outage.scope.value, subject.kind, subject.id, ended=ended or open_until),
    ]
    if notice.previous is not None:
        before = notice.previous
        alerts.append(
            _alert(notice, before.scope.value, before.subject.kind, before.subject.id, ended=notice.at)
        )
    return alerts


def _alert(notice: Notice, scope: str, kind: str, subject: str, *, ended: str) -> Alert:
    outage = notice.outage
    labels = {"alertname": ALERT_NAME, "outage": outage.id, "scope": scope, "kind": kind, "subject": subject}
    return Alert(
        labels=labels,
        annotations={
            "summary": f"{subject} is {outage.severity}: {scope}",
            "description": outage.why,
            "services": ", ".join(notice.services),
            "regions": ", ".join(outage.regions),
            "layer": outage.layer,
            "severity": outage.severity,
            "notice": notice.id,
        },
        startsAt=outage.onset,
        endsAt=ended,
    )


def _token(secret: bytes) -> str:
    """A secret as a header can carry it; raises NotDelivered, whose sentence does not tell the secret."""
    text = secret.decode("ascii", "replace")
    if not text.isascii() or not text.isprintable():
        raise NotDelivered("the secret is no bearer token: it must be one line of ASCII")
    return text


class Alertmanager:
    """Posts alerts; a repeat is the same alert with a later end."""

    takes: ClassVar = AlertmanagerSettings

    def __init__(self, settings: AlertmanagerSettings) -> None:
        self._settings = settings
        self._poster = Poster(settings.url.rstrip("/") + PATH)

    @property
    def repeat_s(self) -> float | None:
        """How often what still goes on is told again."""
        return self._settings.repeat.total_seconds()

    async def deliver(self, notice: Notice, now_us: int) -> None:
        """Posts the alerts of one notice."""
        alerts = alerts_of(notice, now_us, self._settings.lasts // timedelta(microseconds=1))
        await self._poster.post(json.dumps(alerts).encode(), self._headers())

    def _headers(self) -> dict[str, str]:
        if not self._settings.has_secret:
            return {}
        secret = self._settings.secret()
        if not self._settings.username:
            return {"Authorization": f"Bearer {_token(secret)}"}
        both = self._settings.username.encode() + b":" + secret
        return {"Authorization": f"Basic {b64encode(both).decode()}"}

    async def close(self) -> None:
        """Lets go of connections."""
        await self._poster.close()
