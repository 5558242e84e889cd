"""Whether the agent itself can reach anything, judged from its references. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Condition:
    """Well or not, with one sentence why not."""

    well: bool
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class _Seen:
    at: float
    ok: bool
    sentence: str


class OwnHealth:
    """Keeps the last finding on each reference; unwell when most of at least two that are fresh fail."""

    def __init__(self, names: tuple[str, ...], fresh_s: float) -> None:
        self._names = names
        self._fresh_s = fresh_s
        self._seen: dict[str, _Seen] = {}
        self._all_good = True
        self._well = Condition(True)

    def note(self, name: str, now: float, *, ok: bool, sentence: str = "") -> None:
        """Takes the finding on one reference."""
        self._seen[name] = _Seen(now, ok, sentence)
        self._all_good = all(seen.ok for seen in self._seen.values())

    def condition(self, now: float) -> Condition:
        """The judgement at `now`; what is older than `fresh_s` says nothing."""
        if self._all_good:  # the usual, asked for by each probe
            return self._well
        fresh = {name: seen for name, seen in self._seen.items() if now - seen.at <= self._fresh_s}
        failed = [name for name in self._names if name in fresh and not fresh[name].ok]
        if len(fresh) < 2 or 2 * len(failed) <= len(fresh):
            return self._well
        first = failed[0]
        return Condition(
            False,
            f"{len(failed)} of {len(fresh)} references do not answer; {first}: {fresh[first].sentence}",
        )
