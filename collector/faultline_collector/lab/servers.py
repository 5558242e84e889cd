"""The lab's own InfluxDB and MQTT broker: real servers in its folder, ended with it."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from faultline_collector.lab.influxd import find_influxd, influxd_answers, influxd_command, set_up_influxd
from faultline_collector.lab.mosquitto import COLLECTOR_USER, find_mosquitto, write_mosquitto
from faultline_collector.lab.ports import free_port, listens
from faultline_collector.lab.processes import Crew
from faultline_collector.lab.stage import NoRoom
from faultline_collector.stores.store import StoreError

INFLUXD, MOSQUITTO = "influxd", "mosquitto"
"""Names of the processes."""

_ORGANISATION, _BUCKET = "faultline", "results"
_READY_S = 30.0
_POLL_S = 0.05


class NoServer(NoRoom):
    """Raised when a server is wanted that is not on this machine, or does not start; one sentence."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which servers a lab is to have."""

    influxdb: bool = False
    mosquitto: bool = False


class Servers:
    """Starts what is wanted; each may be ended and started again by its name."""

    def __init__(self, wanted: Wanted, folder: Path, outbox: Path | None = None) -> None:
        self.crew = Crew(folder)
        self._folder = folder / "servers"
        self.outbox = outbox or self._folder / "outbox"
        self._token = secrets.token_urlsafe(24)
        self._collector_password = secrets.token_urlsafe(24)
        self._influxd = _program(find_influxd(), "influxd", "make influxd") if wanted.influxdb else None
        self._mosquitto = (
            _program(find_mosquitto(), "mosquitto", "as root: make servers") if wanted.mosquitto else None
        )
        self._influxd_port, self.broker_port = free_port(), free_port()

    @property
    def influxd_url(self) -> str:
        """Where influxd is."""
        return f"http://127.0.0.1:{self._influxd_port}"

    @property
    def token_file(self) -> Path:
        """Where the collector's token for influxd lies, which may do no more than it needs."""
        return self._folder / "influxdb.token"

    @property
    def influxdb(self) -> tuple[str, str, str, str]:
        """URL, organisation, bucket and operator's token of InfluxDB."""
        return self.influxd_url, _ORGANISATION, _BUCKET, self._token

    def settings(self) -> dict[str, Any]:
        """What the collector's configuration says of them."""
        said: dict[str, Any] = {}
        if self._influxd:
            said["store"] = f"influxdb://127.0.0.1:{self._influxd_port}/{_ORGANISATION}/{_BUCKET}"
            said["influxdb"] = {"token_file": str(self.token_file), "outbox": str(self.outbox)}
        if self._mosquitto:
            said["broker"] = {
                "url": f"mqtt://127.0.0.1:{self.broker_port}",
                "user": COLLECTOR_USER,
                "password_file": str(self._folder / "collector.password"),
            }
        return said

    @property
    def names(self) -> list[str]:
        """Those that are wanted."""
        return [name for name, found in ((INFLUXD, self._influxd), (MOSQUITTO, self._mosquitto)) if found]

    async def open(self, name: str, passwords: Mapping[str, str]) -> None:
        """Sets one up, with these users if it is the broker, and starts it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        await {INFLUXD: self._open_influxd, MOSQUITTO: self._open_mosquitto}[name](passwords)

    async def _open_influxd(self, _: Mapping[str, str]) -> None:
        await self.start(INFLUXD)
        try:
            await asyncio.to_thread(set_up_influxd, *self.influxdb, self.token_file)
        except (httpx.HTTPError, StoreError) as error:
            raise NoServer(f"influxd could not be set up: {error}") from error

    async def _open_mosquitto(self, passwords: Mapping[str, str]) -> None:
        _secret(self._folder / "collector.password", self._collector_password)
        users = {**passwords, COLLECTOR_USER: self._collector_password}
        write_mosquitto(self._folder / MOSQUITTO, self.broker_port, users)
        await self.start(MOSQUITTO)

    async def start(self, name: str) -> None:
        """Starts one, also again after its death; returns when it answers."""
        command, answers = self._ways()[name]
        process = self.crew.start(name, command)
        deadline = asyncio.get_running_loop().time() + _READY_S
        while not await asyncio.to_thread(answers):
            if not process.alive or asyncio.get_running_loop().time() > deadline:
                raise NoServer(f"{name} did not start: {process.last_words()} ({process.log})")
            await asyncio.sleep(_POLL_S)

    async def close(self) -> None:
        """Ends them; safe twice."""
        await self.crew.end()

    def _ways(self) -> Mapping[str, tuple[list[str], Callable[[], bool]]]:
        """How each is started, and how it is seen to answer."""
        data = self._folder / INFLUXD
        config = self._folder / MOSQUITTO / "mosquitto.conf"
        return {
            INFLUXD: (
                influxd_command(self._influxd or Path(INFLUXD), data, self._influxd_port),
                lambda: influxd_answers(self.influxd_url),
            ),
            MOSQUITTO: (
                [str(self._mosquitto or MOSQUITTO), "-c", str(config)],
                lambda: listens(self.broker_port),
            ),
        }


def _program(found: Path | None, name: str, remedy: str) -> Path:
    if found is None:
        raise NoServer(f"{name} is not on this machine ({remedy})")
    return found


def _secret(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text + "\n", encoding="utf-8")
