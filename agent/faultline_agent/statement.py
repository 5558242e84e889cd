"""What `faultline-agent status` says, from the facts of the status file. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STALE_S = 15.0
"""An agent whose process is there but which has written nothing for so long does not work."""

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """Whether the agent works, why not, and the lines of its state."""

    works: bool
    reasons: tuple[str, ...]
    lines: tuple[str, ...]

    def text(self) -> str:
        """Everything, for people."""
        return "\n".join([*self.lines, *(f"why        {reason}" for reason in self.reasons)])


def state(facts: Facts, now_us: int, *, alive: bool) -> Statement:
    """Makes the statement; `alive`: whether the process that wrote the facts is still there."""
    gone = _gone(facts, now_us, alive=alive)
    reasons = [gone] if gone else [*_link_reasons(facts, now_us), *_work_reasons(facts)]
    working = not gone and facts["collector"]["connected"] and not facts["condition"]
    return Statement(working, tuple(reasons), tuple(_lines(facts, now_us, running=not gone)))


def ago(since_us: int, now_us: int) -> str:
    """A time span as people say it."""
    seconds = max(0, now_us - since_us) / 1e6
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def size(count: int) -> str:
    """Bytes as people say them."""
    for unit, step in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return f"{count} B"


def _gone(facts: Facts, now_us: int, *, alive: bool) -> str:
    last = ago(facts["written_us"], now_us)
    if facts["state"] == "stopped":
        return f"the agent was stopped {last} ago"
    if not alive:
        return f"the agent is not running: process {facts['pid']} ended unexpectedly about {last} ago"
    if now_us - facts["written_us"] > STALE_S * 1e6:
        return f"the agent hangs or cannot write: process {facts['pid']} is there, silent for {last}"
    return ""


def _link_reasons(facts: Facts, now_us: int) -> list[str]:
    collector = facts["collector"]
    if collector["connected"]:
        return []
    never = "" if collector["last_ack_us"] else " (never since the start)"
    problem = collector["problem"] or "still connecting"
    return [f"no collector reached for {ago(collector['since_us'], now_us)}{never}: {problem}"]


def _work_reasons(facts: Facts) -> list[str]:
    return [facts["condition"]] if facts["condition"] else []


def _lines(facts: Facts, now_us: int, *, running: bool) -> list[str]:
    collector, spool, assignment = facts["collector"], facts["spool"], facts["assignment"]
    since = f"running for {ago(facts['started_us'], now_us)}" if running else "not running"
    return [
        f"agent      {facts['agent']} {facts['version']}, {since}, process {facts['pid']}",
        f"collector  {collector['url']}, {_link(collector, now_us, running=running)}",
        f"last ack   {_last_ack(collector, now_us)}",
        f"spool      {_spool(spool, now_us)}",
        f"dropped    {_dropped(spool['dropped'])}",
        *_damage(spool),
        f"targets    {assignment['targets']} probed, {len(assignment['refused'])} refused, "
        f"assignment {assignment['version'] or 'none'}",
        f"results    {_outcomes(facts)}",
        *_unanswered(collector["unanswered"]),
    ]


def _link(collector: Facts, now_us: int, *, running: bool) -> str:
    if not running:
        return "not connected"
    word = "connected" if collector["connected"] else "not connected"
    return f"{word} for {ago(collector['since_us'], now_us)}"


def _last_ack(collector: Facts, now_us: int) -> str:
    if not collector["last_ack_us"]:
        return "never"
    trip = f", round trip {collector['round_trip_us'] / 1000:.1f} ms" if collector["round_trip_us"] else ""
    rejected = "".join(f", {count} rejected as {reason}" for reason, count in collector["rejected"].items())
    return f"{ago(collector['last_ack_us'], now_us)} ago{trip}{rejected}"


def _spool(spool: Facts, now_us: int) -> str:
    held = f"{spool['results']} results wait, {size(spool['bytes'])} of {size(spool['most_bytes'])}"
    return held + (f", lag {ago(spool['oldest_us'], now_us)}" if spool["oldest_us"] else "")


def _dropped(runs: list[tuple[int, int, str]]) -> str:
    counts: dict[str, int] = {}
    for first, last, reason in runs:
        counts[reason] = counts.get(reason, 0) + last - first + 1
    said = ", ".join(f"{count} ({reason})" for reason, count in counts.items())
    return f"{said}, not yet reported" if said else "none that the collector does not know"


def _damage(spool: Facts) -> list[str]:
    """Lines that are only there when a spool was lost."""
    moved = [f"damaged    {spool['replaced']}"] if spool["replaced"] else []
    lost = [
        f"lost       up to {last - first + 1} results of spool {spool_id}, not yet reported"
        for spool_id, first, last in spool["lost"]
    ]
    return [*moved, *lost]


def _outcomes(facts: Facts) -> str:
    said = ", ".join(f"{word} {count}" for word, count in sorted(facts["outcomes"].items()))
    return f"{said or 'none yet'}; {facts['shed_runs']} runs left out, {facts['missed_runs']} missed"


def _unanswered(count: int) -> list[str]:
    return [f"asked      {count} requests for proof were not answered"] if count else []
