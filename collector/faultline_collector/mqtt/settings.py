"""How the configuration names a broker."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from faultline.config import BadConfig, Settings
from faultline.hosts import is_loopback
from faultline.mqtt import Access
from faultline.topics import is_level

PORTS = {"mqtt": 1883, "mqtts": 8883}


def _checked_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if "@" in text:
        raise ValueError("a URL with a user or password in it is refused: user and password_file hold them")
    if not good or parts.path not in ("", "/") or parts.query:
        raise ValueError(f"{text!r} is not a URL like mqtts://host:8883")
    return text


def _checked_user(text: str) -> str:
    if not is_level(text):
        raise ValueError(f"{text!r} cannot be part of a topic: not empty, no '/', '+' or '#'")
    return text


class BrokerTlsSettings(Settings):
    """PEM files towards the broker."""

    authorities: Annotated[
        Path | None, Field(description="who signs the broker's certificate; none: the system's list")
    ] = None
    certificate: Annotated[Path | None, Field(description="the collector's own certificate")] = None
    key: Annotated[Path | None, Field(description="its private key")] = None

    @model_validator(mode="after")
    def _both(self) -> "BrokerTlsSettings":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key come together or not at all")
        return self


class BrokerSettings(Settings):
    """An MQTT 5 broker by which agents come, and to which outages go as events."""

    url: Annotated[str, AfterValidator(_checked_url), Field(description="mqtts://host:8883, or mqtt://")]
    user: Annotated[
        str,
        AfterValidator(_checked_user),
        Field(description="who the collector is there; every collector has a user of its own"),
    ] = "faultline-collector"
    password_file: Annotated[
        Path | None, Field(description="file with the user's password; none: its certificate is enough")
    ] = None
    tls: Annotated[BrokerTlsSettings, Field(description="PEM files towards the broker")] = BrokerTlsSettings()
    events: Annotated[
        bool, Field(description="whether services and open outages are retained there; one collector does")
    ] = True
    plaintext_beyond_loopback: Annotated[
        bool, Field(description="lets mqtt:// leave this machine, password and results readable")
    ] = False

    @model_validator(mode="after")
    def _plaintext_stays(self) -> "BrokerSettings":
        parts = urlsplit(self.url)
        if (
            parts.scheme == "mqtt"
            and not self.plaintext_beyond_loopback
            and not is_loopback(parts.hostname or "")
        ):
            raise ValueError(
                f"url: {self.url!r} would carry password and results unencrypted beyond this machine; "
                "use mqtts:// or set plaintext_beyond_loopback: true"
            )
        return self

    def access(self) -> Access:
        """What it takes to connect; reads the password; raises BadConfig."""
        parts, tls = urlsplit(self.url), self.tls
        return Access(
            host=parts.hostname or "",
            port=parts.port or PORTS[parts.scheme],
            user=self.user,
            password=_password(self.password_file),
            tls=parts.scheme == "mqtts",
            authorities=tls.authorities,
            certificate=tls.certificate,
            key=tls.key,
        )


def _password(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadConfig("broker", [f"password_file: {path} cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise BadConfig("broker", [f"password_file: {path} does not hold a password"]) from error
