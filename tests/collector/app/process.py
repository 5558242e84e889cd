"""A collector's real process, and what it reads."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import yaml

from faultline_collector.config import load_config
from faultline_collector.registry.registry import Registry

READY_S = 100
HEALTHY = ("games", "mail", "maps", "news", "video", "weather")
PROGRAM = Path(sys.executable).with_name("faultline")


def component(name: str) -> dict[str, Any]:
    """A component of one target of the same name."""
    target = {"id": name, "kind": "http", "interval": "5s", "url": "http://127.0.0.1:9/"}
    return {"id": name, "targets": [target]}


def settings(place: Path) -> dict[str, Any]:
    """A collector's configuration: two regions, twitter, and services beside it."""
    return {
        "store": f"duckdb://{place}/results.duckdb",
        "registry": f"sqlite:///{place}/registry.db",
        "listen": {"agents": "127.0.0.1:0", "web": "127.0.0.1:0"},
        "regions": [
            {"id": "east", "name": "East", "country": "IN", "latitude": 22.5, "longitude": 88.3},
            {"id": "west", "name": "West", "country": "IN", "latitude": 19.1, "longitude": 72.9},
        ],
        "networks": [{"asn": 64500 + i, "name": f"Net {i}"} for i in range(3)],
        "services": [
            *({"id": name, "components": [component(name)]} for name in HEALTHY),
            {"id": "twitter", "components": [component("api"), component("web")]},
        ],
    }


class CollectorProcess:
    """`faultline collector run`, started anew as often as one likes, on the same files."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.path = place / "collector.yaml"
        self.write(settings(place))
        self.address = self.web = ""
        self._process: subprocess.Popen[str] | None = None

    def write(self, data: dict[str, Any]) -> None:
        """Writes the configuration."""
        self.path.write_text(yaml.safe_dump(data))

    def enlist(self, *agents: tuple[str, str, int]) -> dict[str, str]:
        """Adds agents by id, region and ASN; gives their tokens."""
        registry = Registry(settings(self.place)["registry"])
        registry.apply(load_config(self.path))
        tokens = {name: registry.add_agent(name, region=region, asn=asn) for name, region, asn in agents}
        registry.close()
        return tokens

    def start(self) -> None:
        """Starts it and waits until it says that it is ready."""
        with (self.place / "log").open("a") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "collector", "run", "--config", self.path],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        said = self._process.stdout.readline().split()
        assert said[:1] == ["ready"], self.log
        self.address, self.web = (word.partition("=")[2] for word in said[1:])

    @property
    def log(self) -> str:
        """All that it logged so far."""
        return (self.place / "log").read_text()

    def tell(self, number: signal.Signals) -> None:
        """Sends a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Waits for its end; gives its exit status."""
        assert self._process is not None
        assert self._process.stdout is not None
        status = self._process.wait(30)
        self._process.stdout.close()
        self._process = None
        return status

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self.tell(signal.SIGKILL)
        self.wait()

    def get(self, path: str) -> Any:
        """JSON from its web address."""
        return httpx.get(self.web + path, timeout=30).json()

    def text(self, path: str) -> str:
        """Text from its web address."""
        return httpx.get(self.web + path, timeout=30).text

    def close(self) -> None:
        """Ends whatever still runs."""
        if self._process is not None:
            self.kill()

    def refused(self, changes: dict[str, Any]) -> tuple[int, str]:
        """What it answers to a configuration that it cannot use: status and stderr."""
        self.write(settings(self.place) | changes)
        command: list[str | Path] = [PROGRAM, "collector", "run", "--config", self.path]
        done = subprocess.run(command, capture_output=True, text=True, timeout=READY_S)
        return done.returncode, done.stderr
