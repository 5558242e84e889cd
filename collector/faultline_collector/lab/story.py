"""The story that the demo tells by itself: what is broken, and what Faultline says of it."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from faultline_collector.lab.faults import Fault
from faultline_collector.lab.stage import Stage
from faultline_collector.lab.watch import Said, Watch
from faultline_collector.lab.world import World
from faultline_collector.outages import Scope

Tell = Callable[[str], None]
"""Takes one line of the story."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the story waits for what it expects, and how long it stays with it."""

    patience_s: float = 40.0
    linger_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Chapter:
    """One thing that happens; `fault` None makes all whole. `what` is the scope and subject to be said."""

    title: str
    fault: Fault | None
    what: tuple[str, str] | None = None


def chapters(world: World) -> tuple[Chapter, ...]:
    """The story, in order."""
    india = tuple(place.id for place in world.places if place.country == "IN")
    agent = world.vantages[len(world.vantages) // 2].id
    carrier = world.carriers[0]
    whole = Chapter("Everything is made whole.", None)
    return (
        Chapter(
            "Twitter fails in India.",
            Fault(Scope.REGIONAL, "twitter", regions=india),
            ("regional", "twitter"),
        ),
        Chapter("Twitter fails everywhere.", Fault(Scope.GLOBAL, "twitter"), ("global", "twitter")),
        whole,
        Chapter(
            f"The transit of {carrier.name} (AS{carrier.asn}) fails.",
            Fault(Scope.NETWORK, str(carrier.asn)),
            ("network", str(carrier.asn)),
        ),
        whole,
        Chapter("Amazon Web Services fails.", Fault(Scope.PROVIDER, "aws"), ("provider", "aws")),
        whole,
        Chapter(f"The network of one agent, {agent}, fails.", Fault(Scope.AGENT, agent), ("agent", agent)),
        whole,
        Chapter("The collector is cut off from all agents.", Fault(Scope.COLLECTOR), ("collector", "")),
        whole,
    )


async def tell_story(stage: Stage, web: str, tell: Tell, pace: Pace) -> None:
    """Injects one chapter after another, and tells what is said of each, with the seconds it took."""
    watch = Watch(web)
    try:
        await watch.changes()
        for number, chapter in enumerate(chapters(stage.world), 1):
            tell(f"\n{number}. {chapter.title}")
            await _tell_chapter(chapter, stage, watch, tell, pace)
        tell("\nThat was the story. The lab goes on; Ctrl-C ends it.")
    finally:
        await watch.close()


async def _tell_chapter(chapter: Chapter, stage: Stage, watch: Watch, tell: Tell, pace: Pace) -> None:
    if chapter.fault is None:
        stage.clear()
        tell("   faultline lab fault clear")
    else:
        stage.inject(chapter.fault)
        tell(f"   faultline lab fault {chapter.fault}")
    began = time.monotonic()
    try:
        async with asyncio.timeout(pace.patience_s), contextlib.aclosing(watch.follow()) as readings:
            async for changes in readings:
                for said in changes:
                    tell(f"   +{said.at - began:4.1f} s  {said}")
                if _is_told(chapter, changes, watch):
                    break
    except TimeoutError:
        tell(f"   +{pace.patience_s:4.1f} s  Faultline has not said more; going on")
    await asyncio.sleep(pace.linger_s)


def _is_told(chapter: Chapter, changes: list[Said], watch: Watch) -> bool:
    if chapter.what is None:
        return bool(changes) and not watch.any_open
    scope, subject = chapter.what
    return any(
        said.state == "confirmed" and said.what[0] == scope and subject in ("", said.what[1])
        for said in changes
    )
