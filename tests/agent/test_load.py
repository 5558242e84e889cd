"""The agent's own load, measured on this process."""

import asyncio
import io
import json
import sys

from faultline_agent.guard import LoadGuard
from faultline_agent.load import LoadWatch
from faultline_agent.log import open_log
from tests.agent.stage import eventually


class Samples(LoadGuard):
    """A guard that counts its samples."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[tuple[float, float]] = []

    def sample(self, cpu: float, lag_s: float) -> None:
        """Keeps the sample."""
        self.taken.append((cpu, lag_s))


async def test_guard_gets_a_sample_after_a_while_and_the_heartbeat_the_worst() -> None:
    """What was taken begins anew."""
    guard = Samples()
    watch = LoadWatch(guard)
    running = asyncio.create_task(watch.run())
    await eventually(lambda: guard.taken)
    running.cancel()
    ((cpu, lag_s),) = guard.taken
    assert cpu >= 0
    assert lag_s >= 0
    lag_us, cpu_ppm = watch.take()
    assert lag_us == round(lag_s * 1e6)
    assert cpu_ppm > 0
    assert watch.take()[0] == 0


def test_log_is_json_unless_on_a_terminal() -> None:
    """One object a line, with the time and the level."""
    stream = io.StringIO()
    open_log(stream).warning("not connected", problem="refused")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["problem"], line["level"]) == ("not connected", "refused", "warning")
    assert line["timestamp"].endswith("Z")


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        """Claims it."""
        return True


def test_log_on_a_terminal_is_plain() -> None:
    """For people; and Rich, where it is, stays usable."""
    stream = Terminal()
    open_log(stream).info("connected", collector_version="1")
    assert "connected" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
    assert sys.modules.get("rich", ...) is not None
