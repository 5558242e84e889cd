"""Transitions of outages as points beside the results, for annotations of a dashboard."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from threading import Lock
from zlib import crc32

from faultline_collector.outages import Outage, State
from faultline_collector.stores.influxdb.lines import NANOSECONDS, plain, quoted, tagged

MEASUREMENT = "outages"

_MOST_WAITING = 10_000
_MOST_REMEMBERED = 50_000


class Transitions:
    """Takes outages as they change and keeps what is new until it is written; bounded, safe for threads.

    The same transition lands on the same point, so a restart, which forgets what was written, does no harm.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: deque[Outage] = deque()
        self._states: OrderedDict[str, State] = OrderedDict()
        self.left_out = 0

    def hear(self, outages: Sequence[Outage]) -> None:
        """Takes outages; those whose state is not new are passed over."""
        with self._lock:
            for outage in outages:
                if self._states.get(outage.id) is outage.state:
                    continue
                if len(self._waiting) >= _MOST_WAITING:
                    self.left_out += 1
                    continue
                self._waiting.append(outage)
                self._states[outage.id] = outage.state
                self._states.move_to_end(outage.id)
            while len(self._states) > _MOST_REMEMBERED:
                self._states.popitem(last=False)

    def waiting(self) -> tuple[Outage, ...]:
        """What is to be written; call `written` with it when it is durable."""
        with self._lock:
            return tuple(self._waiting)

    def written(self, outages: Sequence[Outage]) -> None:
        """Forgets as many from the front."""
        with self._lock:
            for _ in outages:
                self._waiting.popleft()


def transition_lines(outages: Sequence[Outage]) -> bytes:
    """A line for each."""
    return b"".join(map(_line, outages))


def _line(outage: Outage) -> bytes:
    subject = outage.subject
    tags = {
        "scope": outage.scope.value,
        "state": outage.state.value,
        "kind": subject.kind,
        "subject": subject.id,
    }
    texts = {
        "id": outage.id,
        "title": f"{subject.kind} {subject.id}: {outage.state.value}",
        "text": outage.why,
        "layer": outage.layer,
        "severity": outage.severity,
        "regions": " ".join(outage.regions),
        "networks": " ".join(map(str, outage.asns)),
    }
    numbers = {"onset_us": outage.onset_us, "targets": len(outage.target_ids)}
    fields = [b"%s=%s" % (name.encode(), quoted(plain(text))) for name, text in texts.items()]
    fields += [b"%s=%di" % (name.encode(), number) for name, number in numbers.items()]
    fields.append(b"confidence=%f" % outage.confidence)
    # Apart from those of other outages at the same time.
    at_ns = _at_us(outage) * NANOSECONDS + crc32(outage.id.encode()) % NANOSECONDS
    return b"%s %s %d\n" % (tagged(MEASUREMENT, tags), b",".join(fields), at_ns)


def _at_us(outage: Outage) -> int:
    """When the outage came into its state."""
    match outage.state:
        case State.SUSPECTED:
            return outage.detected_us
        case State.CONFIRMED:
            return outage.confirmed_us or outage.changed_us
        case State.RESOLVED | State.WITHDRAWN:
            return outage.resolved_us or outage.changed_us
        case State.RECOVERING | State.FLAPPING:
            return outage.changed_us
