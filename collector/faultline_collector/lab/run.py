"""Runs a lab in the foreground until it is told to end."""

import asyncio
import contextlib
import os
import shlex
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from faultline_collector.lab.lab import Lab, LabFailed, LabOptions
from faultline_collector.lab.processes import program
from faultline_collector.lab.stage import NoRoom
from faultline_collector.lab.story import Pace, tell_story
from faultline_collector.lab.watch import Watch

_DELAY_EVERY_S = 0.5
_DELAY_TOLD_S = 1.0

Show = Callable[[Lab], Awaitable[None]]
"""What goes on in the terminal while a lab runs."""


def run_lab(options: LabOptions) -> int:
    """A lab that says when it is ready and no more; gives the exit code."""
    return _run(options, _wait)


def run_demo(options: LabOptions, *, story: bool) -> int:
    """A lab that says what to try, and what Faultline says."""
    return _run(options, _story if story else _changes)


def _run(options: LabOptions, show: Show) -> int:
    try:
        return uvloop.run(_main(options, show))
    except (LabFailed, NoRoom) as error:
        say(f"faultline: {error}")
        return 2


async def _main(options: LabOptions, show: Show) -> int:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    lab = Lab(options)
    life = asyncio.ensure_future(_live(lab, show))
    until = asyncio.ensure_future(ended.wait())
    delays = asyncio.ensure_future(_tell_of_delays())
    try:
        await asyncio.wait((life, until), return_when=asyncio.FIRST_COMPLETED)
        if life.done():
            life.result()
    finally:
        until.cancel()
        delays.cancel()
        life.cancel()
        await asyncio.wait((life,))
        say("ending all processes")
        await lab.close()
    return 0


async def _tell_of_delays() -> None:
    """Servers that are late look like outages: then it is this machine that is too busy."""
    loop = asyncio.get_running_loop()
    while True:
        began, used = loop.time(), time.process_time()
        await asyncio.sleep(_DELAY_EVERY_S)
        late = loop.time() - began - _DELAY_EVERY_S
        if late > _DELAY_TOLD_S:
            say(
                f"the lab's servers stood still for {late:.1f} s (busy for {time.process_time() - used:.1f} s"
                " of it): this machine is too busy, and probes may have failed for that"
            )


async def _live(lab: Lab, show: Show) -> None:
    began = time.monotonic()
    progress = _Progress()
    await lab.open(progress)
    progress(f"all {len(lab.world.vantages)} agents connected after {time.monotonic() - began:.0f} s")
    progress.end()
    say(f"ready {lab.web}")
    await show(lab)


class _Progress:
    """One line that grows on a terminal, a line for each new text elsewhere."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, text: str) -> None:
        if text == self._last:
            return
        self._last = text
        if sys.stdout.isatty():
            _write(f"\r\x1b[2K{text}")
        else:
            _write(text + "\n")

    def end(self) -> None:
        if sys.stdout.isatty():
            _write("\n")


async def _wait(_: Lab) -> None:
    await asyncio.Event().wait()


async def _changes(lab: Lab) -> None:
    for line in instructions(lab.folder):
        say(line)
    watch = Watch(lab.web)
    began = time.monotonic()
    try:
        async for changes in watch.follow():
            for said in changes:
                say(f"{said.at - began:7.1f} s  {said}")
    finally:
        await watch.close()


async def _story(lab: Lab) -> None:
    await tell_story(lab.stage, lab.web, say, Pace())
    await _wait(lab)


def instructions(folder: Path) -> list[str]:
    """How to break things from another terminal."""
    place = "" if folder == Path("build/demo").resolve() else f" --dir {shlex.quote(str(folder))}"
    command = f"{_shown(program('faultline'))} lab fault"
    faults = (
        "regional twitter --regions in-west,in-north,in-east",
        "global twitter",
        "global twitter --component login --kind content",
        "network 55836",
        "provider aws",
        "agent",
        "collector",
        "clear",
    )
    return [
        "",
        "Break something from another terminal:",
        *(f"  {command} {fault}{place}" for fault in faults),
        "",
    ]


def _shown(path: str) -> str:
    """The shortest way to write a command's path from here."""
    with contextlib.suppress(ValueError):
        return str(Path(path).relative_to(Path.cwd()))
    return shlex.quote(path)


def say(text: str) -> None:
    """Writes a line at once."""
    _write(text + "\n")


def _write(text: str) -> None:
    """Writes to the terminal; when that is gone, there is nobody to tell."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
