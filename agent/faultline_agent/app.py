"""Builds the agent's parts in order and runs them until it is told to stop."""

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from random import Random

from faultline.config import parse_data
from faultline_agent.config import AgentConfig
from faultline_agent.guard import LoadGuard
from faultline_agent.load import LoadWatch
from faultline_agent.log import Log
from faultline_agent.outbox import Outbox
from faultline_agent.probes import PROBES
from faultline_agent.probes.probe import Probe
from faultline_agent.probes.tools import open_tools, refuse_nothing
from faultline_agent.recorder import Recorder
from faultline_agent.references import References
from faultline_agent.runner import Runner
from faultline_agent.schedule import Schedule
from faultline_agent.spool import Spool
from faultline_agent.station import KEPT_ASSIGNMENT, Station
from faultline_agent.status import StatusFile
from faultline_agent.uplinks import open_uplink
from faultline_agent.uplinks.pump import Pump
from faultline_agent.uplinks.wire import encode_batch
from faultline_agent.way import Way, parse_url

LAST_WORDS_S = 1.0
"""Longest that the end waits for the collector to take what is left."""


def clock_us() -> int:
    """The wall's time in microseconds since 1970."""
    return time.time_ns() // 1000


def reference_probes(config: AgentConfig) -> dict[str, Probe]:
    """The probes of the references, by a name that people recognise; raises BadConfig."""
    probes = {}
    for at, target in enumerate(config.references.targets):
        named = " ".join([target.kind, *(str(value) for value in target.settings.values())])
        source = f"references.targets[{at}]"
        probes[named] = parse_data(target.settings, PROBES[target.kind], source)
    return probes


async def serve(config: AgentConfig, token: str, spool: Spool, log: Log, stop: asyncio.Event) -> None:
    """Runs the agent until `stop`; raises UplinkError when the collector refuses it for good."""
    began = time.time() - time.monotonic()

    def axis() -> float:
        return began + time.monotonic()

    random = Random()
    guard = LoadGuard()
    load = LoadWatch(guard)
    policy = config.policy.policy()
    async with AsyncExitStack() as stack:
        outbox = Outbox(spool, encode_batch, clock_us)
        stack.push_async_callback(outbox.close)
        tools = await stack.enter_async_context(open_tools(config.resolvers, refusal=policy.refusal))
        way = Way(parse_url(config.collector), config.agent, token, config.tls_files())
        uplink = open_uplink(way)
        stack.push_async_callback(uplink.close)
        references = References(
            reference_probes(config),
            replace(tools, policy=refuse_nothing),
            log,
            every_s=config.references.every.total_seconds(),
            axis=axis,
        )
        recorder = Recorder(outbox, log)
        schedule = Schedule(config.agent, random)
        runner = Runner(
            schedule, guard, references, recorder, tools, log, axis=axis, clock_us=clock_us, random=random
        )
        station = Station(
            config.agent, outbox, policy, guard, load, references, recorder, runner, tools, log,
            clock_us=clock_us,
        )  # fmt: skip
        station.resume(spool.recall(KEPT_ASSIGNMENT))
        pump = Pump(uplink, outbox, station, log, clock_us=clock_us, monotonic=time.monotonic, random=random)
        status = StatusFile(config, station, outbox, pump.link, runner, clock_us)
        await run_all(runner, references, load, recorder, pump, outbox, status, stop)


async def run_all(
    runner: Runner,
    references: References,
    load: LoadWatch,
    recorder: Recorder,
    pump: Pump,
    outbox: Outbox,
    status: StatusFile,
    stop: asyncio.Event,
) -> None:
    """Runs all parts; at the end stops the intake, then flushes, then gives the uplink a moment."""
    try:
        async with asyncio.TaskGroup() as group:
            intake = [group.create_task(work) for work in (runner.run(), references.run(), load.run())]
            sending = [group.create_task(work) for work in (recorder.run(), pump.run(), status.run())]
            await stop.wait()
            for task in intake:
                task.cancel()
            await recorder.flush()
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_S):
                    await pump.drained()
            for task in sending:
                task.cancel()
    finally:
        await recorder.flush()
        await status.write_last()
