"""What the broker retains of services and outages, and what makes it what it should be. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MOST_KNOWN = 100_000
"""Most topics that are known to be retained."""


@dataclass(frozen=True, slots=True)
class Event:
    """One message; an empty one that is retained makes the broker forget the topic."""

    topic: str
    payload: bytes
    retain: bool = True


class Retained:
    """Knows what was retained, by this collector or an earlier one."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def forget(self) -> None:
        """Knows nothing again: the broker may have lost all, or be another one."""
        self._known.clear()

    def found(self, topic: str) -> None:
        """Notes what the broker has retained from before."""
        if len(self._known) < MOST_KNOWN:
            self._known.setdefault(topic, b"")

    def note(self, event: Event) -> None:
        """Notes what the broker has taken."""
        if event.retain and event.payload:
            self._known[event.topic] = event.payload
        elif event.retain:
            self._known.pop(event.topic, None)

    def changes(self, wanted: Mapping[str, bytes], ended: Mapping[str, bytes]) -> Iterator[Event]:
        """What to publish so that `wanted` is retained and nothing else.

        Of what ended, readers get the last state once, not retained, before its topic is cleared.
        """
        for topic, payload in wanted.items():
            if self._known.get(topic) != payload:
                yield Event(topic, payload)
        for topic in [topic for topic in self._known if topic not in wanted]:
            if topic in ended:
                yield Event(topic, ended[topic], retain=False)
            yield Event(topic, b"")
