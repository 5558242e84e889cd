"""Real Mosquitto brokers as deploy/mosquitto configures them: one a test module, and fresh ones to kill."""

import json
import secrets
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faultline_collector.lab.certificates import Authority
from faultline_collector.lab.mosquitto import write_passwords
from faultline_collector.lab.ports import free_port, listens
from tests.servers.process import ServerProcess, running

DEPLOYED = Path(__file__).parents[2] / "deploy" / "mosquitto"
COLLECTOR, READER = "faultline-collector", "faultline-reader"


class Mosquitto(ServerProcess):
    """A broker on 127.0.0.1 with the deployed configuration, its folder and its own authority."""

    host = "127.0.0.1"

    def __init__(self, program: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.certificates_port, self.passwords_port, self.plain_port = (free_port() for _ in range(3))
        self._authority = Authority(folder)
        self.authorities = self._authority.file
        self._authority.issue(folder / "broker.pem", "broker", [self.host, "localhost"])
        self._passwords: dict[str, str] = {}
        write_passwords(folder / "passwords", {})
        (folder / "acl").write_text((DEPLOYED / "acl").read_text())
        (folder / "mosquitto.conf").write_text(self._config())
        super().__init__(
            [program, "-c", str(folder / "mosquitto.conf")],
            folder / "mosquitto.log",
            lambda: listens(self.plain_port),
        )

    def _config(self) -> str:
        """The deployed configuration with the places and ports of this machine, and a plaintext listener."""
        text = (DEPLOYED / "mosquitto.conf").read_text()
        for deployed, here in {
            "listener 8883": f"listener {self.certificates_port} {self.host}",
            "listener 8884": f"listener {self.passwords_port} {self.host}",
            "/etc/mosquitto/faultline/broker.key": str(self.folder / "broker.pem"),
            "/etc/mosquitto/faultline": str(self.folder),
            "/var/lib/mosquitto/": f"{self.folder}/",
        }.items():
            assert deployed in text, deployed
            text = text.replace(deployed, here)
        return f"user root\n{text}\nlistener {self.plain_port} {self.host}\nuse_username_as_clientid true\n"

    def certificate(self, name: str) -> tuple[Path, Path]:
        """Certificate and key of a client of this name, made on the spot."""
        file = self._authority.issue(self.folder / f"{name}.client.pem", name)
        return file, file

    def add_user(self, name: str, password: str) -> None:
        """Lets this user come with a password, from now on."""
        self._passwords[name] = password
        write_passwords(self.folder / "passwords", self._passwords)
        self.signal(signal.SIGHUP)

    def password(self, name: str) -> str:
        """A password of this user, who may come from now on."""
        if name not in self._passwords:
            self.add_user(name, secrets.token_urlsafe(12))
        return self._passwords[name]


@pytest.fixture(scope="module")
def mosquitto(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker that the tests of a module share."""
    with running(Mosquitto(program("mosquitto"), tmp_path_factory.mktemp("mosquitto"))) as server:
        yield server


@pytest.fixture
def broker(program: Callable[[str], str], tmp_path: Path) -> Iterator[Mosquitto]:
    """A fresh broker of the test's own, to kill and to freeze."""
    with running(Mosquitto(program("mosquitto"), tmp_path / "mosquitto")) as server:
        yield server


@pytest.fixture
def deaf_agent(program: Callable[[str], str], tmp_path: Path) -> Iterator[tuple[int, str]]:
    """The port of a broker whose dynamic security lets `agent` subscribe to nothing, and its password."""
    port, password = free_port(), secrets.token_urlsafe(12)
    plugin = next(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))
    rules, config = tmp_path / "dynamic-security.json", tmp_path / "mosquitto.conf"
    rules.write_text(json.dumps(_security(tmp_path / "passwords", "agent", password)))
    config.write_text(
        f"user root\nlistener {port} 127.0.0.1\nplugin {plugin}\nplugin_opt_config_file {rules}\n"
    )
    command = [program("mosquitto"), "-c", str(config)]
    with running(ServerProcess(command, tmp_path / "mosquitto.log", lambda: listens(port))):
        yield port, password


def _security(file: Path, user: str, password: str) -> dict[str, object]:
    """The plugin's file, its password hashed as in a password file."""
    write_passwords(file, {user: password})
    _, _, iterations, salt, digest = file.read_text().strip().split("$")
    access = {
        "publishClientSend": True,
        "publishClientReceive": True,
        "subscribe": False,
        "unsubscribe": True,
    }
    client = {"username": user, "password": digest, "salt": salt, "iterations": int(iterations)}
    return {"defaultACLAccess": access, "clients": [client], "groups": [], "roles": []}
