"""Builds the agent's parts in order and runs them until it is told to stop."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from random import Random
from typing import Any

from faultline_agent.clocks import SystemClocks
from faultline_agent.config import AgentConfig
from faultline_agent.guard import LoadGuard
from faultline_agent.load import LoadWatch
from faultline_agent.log import Log
from faultline_agent.outbox import Outbox
from faultline_agent.probes.tools import ProbeTools
from faultline_agent.recorder import Recorder
from faultline_agent.references import References
from faultline_agent.runner import Runner
from faultline_agent.schedule import Schedule
from faultline_agent.spool import Spool
from faultline_agent.station import KEPT_ASSIGNMENT, AgentStation
from faultline_agent.status import StatusFile
from faultline_agent.uplinks import open_uplink
from faultline_agent.uplinks.pump import Pump
from faultline_agent.uplinks.wire import encode_batch
from faultline_agent.way import Way, parse_url

LAST_WORDS_S = 1.0
"""Longest that the end waits for the collector to take what is left."""

Work = Coroutine[Any, Any, None]


async def serve(
    config: AgentConfig, token: str, spool: Spool, tools: ProbeTools, log: Log, stop: asyncio.Event
) -> None:
    """Runs the agent until `stop`; raises UplinkError when it is refused for good, or SpoolDamaged."""
    clocks, random, guard = SystemClocks(), Random(), LoadGuard()
    load, policy = LoadWatch(guard), config.policy.policy()
    async with AsyncExitStack() as stack:
        outbox = Outbox(spool, encode_batch, clocks)
        stack.push_async_callback(outbox.close)
        own_tools, tools = tools, replace(tools, policy=policy.refusal)
        uplink = open_uplink(Way(parse_url(config.collector), config.agent, token, config.tls.files()))
        stack.push_async_callback(uplink.close)
        every_s = config.references.every.total_seconds()
        references = References(config.references.probes(), own_tools, log, clocks, every_s=every_s)
        recorder = Recorder(outbox, log)
        schedule = Schedule(config.agent, random)
        runner = Runner(schedule, guard, references, recorder, tools, log, clocks, random)
        parts = (outbox, guard, load, references, recorder, runner)
        station = AgentStation(config.agent, policy, *parts, tools, log, clocks)
        station.resume(outbox.recall(KEPT_ASSIGNMENT))
        pump = Pump(uplink, outbox, station, log, clocks, random)
        status = StatusFile(config, station, outbox, pump.link, runner, clocks)
        stack.push_async_callback(status.write_last)
        stack.push_async_callback(recorder.flush)
        intake = (runner.run(), references.run(), load.run())
        await run_until(
            stop, intake, (recorder.run(), pump.run(), status.run()), recorder.flush, pump.drained
        )


async def run_until(
    stop: asyncio.Event,
    intake: tuple[Work, ...],
    sending: tuple[Work, ...],
    flush: Callable[[], Awaitable[object]],
    drained: Callable[[], Awaitable[object]],
) -> None:
    """Runs all; at the end stops the intake, then flushes, then gives the uplink a moment."""
    async with asyncio.TaskGroup() as group:
        measuring = [group.create_task(work) for work in intake]
        rest = [group.create_task(work) for work in sending]
        await stop.wait()
        for task in measuring:
            task.cancel()
        await flush()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await drained()
        for task in rest:
            task.cancel()
