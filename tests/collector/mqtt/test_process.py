"""A collector's real process, and agents' real processes, one by each way."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.agent.commands.agents import agent, status, write_config
from tests.agent.stage import eventually
from tests.collector.app.process import CollectorProcess, settings
from tests.servers.mosquitto import COLLECTOR, Mosquitto

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def collector(tmp_path: Path, broker: Mosquitto) -> Iterator[CollectorProcess]:
    """A collector at a broker of its own, over TLS."""
    one = CollectorProcess(tmp_path)
    password = tmp_path / "broker-password"
    password.write_text(broker.password(COLLECTOR) + "\n")
    section = {
        "url": f"mqtts://localhost:{broker.passwords_port}",
        "password_file": str(password),
        "tls": {"authorities": str(broker.authorities)},
    }
    one.write(settings(tmp_path) | {"broker": section})
    yield one
    one.close()


def agent_config(place: Path, name: str, url: str, token: str, **more: Any) -> Path:
    """An agent's configuration in a folder of its own."""
    folder = place / name
    folder.mkdir()
    path = write_config(folder, url, agent=name, **more)
    (folder / "token").write_text(token)
    return path


async def test_both_kinds_of_agents_report_to_one_collector(
    collector: CollectorProcess, broker: Mosquitto, tmp_path: Path
) -> None:
    """By certificate at the broker and by token over gRPC; a broker that goes away stops only the first."""
    tokens = collector.enlist(("east-1", "east", 64500), ("west-1", "west", 64501))
    collector.start()
    certificate, key = broker.certificate("west-1")
    tls = {"authorities": str(broker.authorities), "certificate": str(certificate), "key": str(key)}
    url = f"mqtts://localhost:{broker.certificates_port}"
    mqtt = agent_config(tmp_path, "west-1", url, "", tls=tls, token_file=None)
    grpc = agent_config(tmp_path, "east-1", f"grpc://{collector.address}", tokens["east-1"])

    def live() -> dict[str, str]:
        return {row["id"]: row["state"] for row in collector.get("/api/v1/agents")["agents"]}

    with ExitStack() as running:
        for path in (mqtt, grpc):
            running.enter_context(agent(path))
        await eventually(lambda: live() == {"east-1": "live", "west-1": "live"})
        await eventually(lambda: status(mqtt)["collector"]["last_ack_us"])
        assert status(mqtt)["assignment"]["targets"] == 8
        broker.kill()
        await eventually(lambda: "Connection refused" in status(mqtt)["collector"]["problem"])
        await eventually(lambda: collector.get("/healthz")["broker"].endswith("Connection refused"))
        assert collector.get("/healthz")["ok"]
        assert "faultline_broker_connected 0.0" in collector.text("/metrics")
        assert status(grpc)["collector"]["connected"]
        broker.start()
        await eventually(
            lambda: status(mqtt)["collector"]["connected"] and not collector.get("/healthz")["broker"]
        )


def test_a_password_that_cannot_be_read_is_a_sentence(collector: CollectorProcess, tmp_path: Path) -> None:
    """Before anything listens."""
    section = {"url": "mqtt://127.0.0.1", "password_file": str(tmp_path / "nowhere")}
    code, said = collector.refused({"broker": section})
    assert (code, said) == (
        2,
        f"broker: password_file: {tmp_path}/nowhere cannot be read: No such file or directory\n",
    )
