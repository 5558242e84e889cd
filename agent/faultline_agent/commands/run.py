"""`faultline-agent run`: the agent itself."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import click
import uvloop

from faultline.config import BadConfig, read_config
from faultline.files import allow_files
from faultline_agent.app import serve
from faultline_agent.config import AgentConfig
from faultline_agent.identity import read_token
from faultline_agent.log import Log, open_log
from faultline_agent.lookups import look_up_more
from faultline_agent.probes.tools import open_tools
from faultline_agent.spool import Spool, SpoolDamaged, SpoolError
from faultline_agent.sweeps import sweep_less
from faultline_agent.uplinks.uplink import UplinkError

BAD_CONFIG, REFUSED, NO_SPOOL = 2, 3, 4
"""Exit codes: nothing will change until somebody changes the configuration; the collector refuses us; the
spool cannot be used now, and may be at the next start."""

MOST_FILES = 8192
"""Several for each attempt under way, and some of the agent's own."""


@click.command()
@click.option(
    "--config", "path", type=click.Path(path_type=Path), required=True, help="The agent's YAML file."
)
def run(path: Path) -> None:
    """Runs the agent until it is told to stop.

    Exit code 2: the configuration cannot be used; 3: the collector refuses this agent; 4: the spool cannot be
    used now: the disk is full, or it was damaged, and the next start puts a new one in its place.
    """
    try:
        config = read_config(path, AgentConfig)
        token = read_token(config.token_file, str(path), needed=config.needs_token)
        spool = open_spool(config)
    except BadConfig as error:
        click.echo(str(error), err=True)
        sys.exit(BAD_CONFIG)
    except SpoolError as error:
        click.echo(str(error), err=True)
        sys.exit(BAD_CONFIG if error.permanent else NO_SPOOL)
    log = open_log(sys.stderr)
    log.info("start", agent=config.agent, collector=config.collector, spool_id=spool.spool_id)
    if spool.replaced:
        log.error("spool replaced", problem=spool.replaced)
    sweep_less()
    look_up_more()
    allow_files(MOST_FILES)
    uvloop.run(until_signal(config, token, spool, log))


def open_spool(config: AgentConfig) -> Spool:
    """Opens the spool; raises SpoolError."""
    max_age_us = round(config.spool.max_age.total_seconds() * 1e6)
    return Spool(config.spool.path, config.agent, max_bytes=config.spool.max_bytes, max_age_us=max_age_us)


async def until_signal(config: AgentConfig, token: str, spool: Spool, log: Log) -> NoReturn:
    """Serves until SIGTERM or SIGINT; ends the process with its exit code."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    code = 0
    async with open_tools(config.resolvers) as tools:
        try:
            await serve(config, token, spool, tools, log, stop)
        except* UplinkError as refused:
            log.error("refused", problem=str(refused.exceptions[0]))
            code = REFUSED
        except* SpoolDamaged as damaged:
            log.error("spool damaged", problem=f"{damaged.exceptions[0]}; the next start begins a new one")
            code = NO_SPOOL
        log.info("stopped", code=code)
        sys.stderr.flush()
        os._exit(code)  # all is closed but libcurl and libuv, which would wait for look-ups of names
