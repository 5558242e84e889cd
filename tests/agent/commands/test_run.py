"""The agent as a process: how it starts, works, stops and refuses."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faultline_agent.uplinks.uplink import AssignedTarget, Assignment, UplinkError
from faultline_agent.uplinks.wire import encode_batch
from tests.agent.commands.agents import agent, call, status, wait_for, write_config
from tests.agent.stage import DEADLINE_S, assigned, eventually, open_spool, result
from tests.agent.test_wreck import damage_in_place, overwrite, wreck
from tests.agent.uplinks.collectors import grpc_end

pytestmark = pytest.mark.timeout(180)  # processes start slowly on a busy machine

HEAVY = (
    *("numpy", "duckdb", "sqlalchemy", "starlette", "uvicorn", "rich", "httpx", "faultline_collector"),
    *("aiomqtt", "paho"),
)


def events(process: "subprocess.Popen[str]") -> list[dict[str, object]]:
    """Everything that an ended agent logged, each line an object."""
    assert process.stderr is not None
    return [json.loads(line) for line in process.stderr.read().splitlines()]


async def ended(process: "subprocess.Popen[str]") -> int:
    """Waits for the end of a process without holding up the collector in this one."""
    async with asyncio.timeout(DEADLINE_S):
        return await asyncio.to_thread(process.wait)


async def test_agent_probes_what_it_is_assigned_and_stops_when_told(tmp_path: Path) -> None:
    """From the assignment to the collector's acknowledgement, and out within three seconds."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        async with grpc_end() as end:
            config = write_config(tmp_path, f"grpc://127.0.0.1:{end.port}")
            with agent(config) as process:
                await eventually(lambda: "hello" in end.heard)
                target = assigned("web", 1.0, host="127.0.0.1", port=port)
                await end.order(Assignment("v1", (target,)))
                await eventually(lambda: sum(what.startswith("live") for what in end.heard) >= 2)
                process.send_signal(signal.SIGTERM)
                stopping = time.monotonic()
                assert await ended(process) == 0
                took_s = time.monotonic() - stopping
                logged = [event["event"] for event in events(process)]
    assert logged == ["start", "connected", "assignment", "stopped"], "changes only, never a line a result"
    assert took_s < DEADLINE_S
    spool = open_spool(tmp_path)
    assert spool.state().next_sequence >= 3
    assert spool.state().results == 0
    spool.close()


async def test_restarted_agent_probes_at_once_though_the_collector_is_away(tmp_path: Path) -> None:
    """By the assignment that it kept; the results wait in the spool."""
    async with grpc_end() as end:
        config = write_config(tmp_path, f"grpc://127.0.0.1:{end.port}")
        with agent(config) as process:
            await eventually(lambda: "hello" in end.heard)
            await end.order(Assignment("v1", (assigned("web", 1.0),)))
            await eventually(lambda: any(what.startswith("live") for what in end.heard))
            process.send_signal(signal.SIGINT)
            assert await ended(process) == 0
    with agent(config) as process:
        await asyncio.to_thread(wait_for, lambda: spooled(config) >= 2)
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == 0
    said = status(config)
    assert said["assignment"]["targets"] == 1
    assert not said["works"]


def spooled(config: Path) -> int:
    """How many results wait in the agent's spool, by its own word."""
    return int(status(config).get("spool", {}).get("results", 0))


SHADOWED = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
"""Runs a command that sees another resolv.conf."""


@pytest.fixture
def silent_resolver(tmp_path: Path) -> Iterator[list[str]]:
    """What to put before a command, so that the system's look-ups of names hang; needs root."""
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.99\n")
    shadow = ["unshare", "-m", "sh", "-c", SHADOWED, "sh", str(conf)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        try:
            silent.bind(("127.0.0.99", 53))
            subprocess.run([*shadow, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"cannot give a process another resolv.conf: {error}")
        yield shadow


async def test_look_ups_that_hang_do_not_hold_up_the_end(tmp_path: Path, silent_resolver: list[str]) -> None:
    """Neither libcurl nor libuv can cancel one; they would wait for its time limit, or for ever."""
    async with grpc_end() as end:
        config = write_config(tmp_path, f"grpc://127.0.0.1:{end.port}")
        with agent(config, *silent_resolver) as process:
            await eventually(lambda: "hello" in end.heard)
            targets = [
                AssignedTarget("page", "http", {"url": "http://slow.example/"}, 1.0, 0.5),
                AssignedTarget("port", "tcp", {"host": "slow.example", "port": 80}, 1.0, 0.5),
            ]
            await end.order(Assignment("v1", tuple(targets)))
            await eventually(lambda: sum(what.startswith("live") for what in end.heard) >= 4)
            process.send_signal(signal.SIGTERM)
            assert await ended(process) == 0


MANY_SILENT = """
import asyncio, os, uvloop
from faultline_agent.lookups import look_up_more

async def main():
    loop = asyncio.get_running_loop()
    names = [*(f"silent-{number}.example" for number in range(8)), "localhost"]
    asked = [asyncio.ensure_future(loop.getaddrinfo(name, 80)) for name in names]
    await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    os.write(1, str([name for name, ask in zip(names, asked) if ask.done()]).encode())
    os._exit(0)

look_up_more()
uvloop.run(main())
"""


def test_names_whose_servers_are_silent_hold_up_no_other(silent_resolver: list[str]) -> None:
    """Or the outage of one provider of names would look like one of everything that has a name."""
    command = [*silent_resolver, sys.executable, "-c", MANY_SILENT]
    done = subprocess.run(command, capture_output=True, timeout=DEADLINE_S)
    assert done.stdout == b"['localhost']"


async def test_refused_agent_ends_with_its_own_exit_code(tmp_path: Path) -> None:
    """With the collector's sentence, and without a traceback."""
    async with grpc_end() as end:
        end.refusal = UplinkError("this token belongs to nobody", permanent=True)
        with agent(write_config(tmp_path, f"grpc://127.0.0.1:{end.port}")) as process:
            assert await ended(process) == 3
            logged = events(process)
    (refused,) = [event for event in logged if event["event"] == "refused"]
    assert "this token belongs to nobody" in str(refused["problem"])
    assert all("exception" not in event for event in logged)


def bad_yaml(folder: Path) -> Path:
    """A configuration with two problems."""
    return write_config(folder, "http://x:1", colour="red")


def no_token(folder: Path) -> Path:
    """A configuration whose token is not there."""
    return write_config(folder, "memory://", token_file=str(folder / "none"))


def no_file(folder: Path) -> Path:
    """A configuration that is not there."""
    return folder / "none.yaml"


def no_room(folder: Path) -> Path:
    """A configuration whose spool cannot be made."""
    (folder / "file").write_text("")
    return write_config(folder, "memory://", spool={"path": str(folder / "file" / "spool.db")})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            bad_yaml,
            ["agent.yaml: collector: 'http://x:1' does not begin", "agent.yaml: colour is not a known"],
        ),
        (no_token, ["none cannot be read: No such file or directory"]),
        (no_file, ["none.yaml: cannot be read: No such file or directory"]),
        (no_room, ["spool.db cannot be opened"]),
    ],
)
def test_configuration_that_cannot_be_used_ends_with_2(
    tmp_path: Path, make: Callable[[Path], Path], said: list[str]
) -> None:
    """Every problem is one sentence, and there is no traceback."""
    done = call("run", "--config", str(make(tmp_path)))
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == len(said)
    assert all(sentence in line for sentence, line in zip(said, lines, strict=True))


def test_second_agent_on_the_same_spool_is_refused(tmp_path: Path) -> None:
    """Two would give out the same sequences."""
    config = write_config(tmp_path, "memory://")
    with agent(config) as process:
        wait_for(lambda: status(config).get("state") == "running")
        done = call("run", "--config", str(config))
        assert done.returncode == 2
        assert "another process uses it" in done.stderr
        process.terminate()
        assert process.wait() == 0


def test_damaged_spool_is_said_and_replaced(tmp_path: Path) -> None:
    """The agent goes on with a new one."""
    wreck(tmp_path, overwrite(0))
    config = write_config(tmp_path, "memory://")
    with agent(config) as process:
        wait_for(lambda: status(config).get("state") == "running")
        process.terminate()
        assert process.wait() == 0
        (replaced,) = [event for event in events(process) if event["event"] == "spool replaced"]
    assert "was damaged" in str(replaced["problem"])


def spool_of_an_hour_ago(folder: Path) -> None:
    """A spool with more results than SQLite keeps in memory."""
    spool = open_spool(folder)
    recorded_us = time.time_ns() // 1000 - 3_600_000_000
    for _ in range(20):
        results = [result(detail=f"{number:0300}") for number in range(1_000)]
        spool.append(results, encode_batch, recorded_us)
    spool.close()


async def test_spool_that_is_damaged_while_it_runs_ends_the_agent_with_4(tmp_path: Path) -> None:
    """With a sentence and without a traceback; the next start goes on with a new one and owns up."""
    spool_of_an_hour_ago(tmp_path)
    async with grpc_end() as end:
        end.refusal = UplinkError("come back later")
        config = write_config(tmp_path, f"grpc://127.0.0.1:{end.port}")
        with agent(config) as process:
            await asyncio.to_thread(wait_for, lambda: status(config).get("state") == "running")
            damage_in_place(tmp_path / "spool.db")
            end.refusal = None
            assert await ended(process) == 4
            logged = events(process)
        (damaged,) = [event for event in logged if event["event"] == "spool damaged"]
        assert str(damaged["problem"]).endswith("; the next start begins a new one")
        assert all("exception" not in event for event in logged)
        end.heard.clear()
        with agent(config) as process:
            await eventually(lambda: "heartbeat" in end.heard)
            process.send_signal(signal.SIGTERM)
            assert await ended(process) == 0
            (replaced,) = [event for event in events(process) if event["event"] == "spool replaced"]
    assert "was damaged" in str(replaced["problem"])


def test_running_agent_imports_nothing_heavy() -> None:
    """It runs on small machines: no numpy, no database client, no web framework, no Rich."""
    program = (
        "import sys, faultline_agent.commands.run, faultline_agent.uplinks.grpc, faultline_agent.log\n"
        "faultline_agent.log.open_log(sys.stderr)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
