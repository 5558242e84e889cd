"""Lines to InfluxDB until every one is stored or known to be refused for good."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from faultline_collector.stores.influxdb.answers import Answer, Kind, reason_of
from faultline_collector.stores.influxdb.deadletters import DeadLetters
from faultline_collector.stores.influxdb.lines import Lines

MOST_LINES = 10_000
"""Of one request."""

MOST_TRIES = 200
"""Requests that a search for refused lines may take; what is then not found is only counted."""

_FEW = 16
"""So many pieces are sent one after the other; to copy them together would cost more."""


class NotDelivered(Exception):
    """Raised when the same lines have to be sent again later; `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.why)
        self.answer = answer


class Delivery:
    """Sends a body of lines, each ended by a newline; halves it to find what is refused.

    Lines may be sent several times: the same line lands on the same point.
    """

    def __init__(
        self,
        write: Callable[[Sequence[bytes]], Answer],
        letters: DeadLetters,
        most_lines: int = MOST_LINES,
    ) -> None:
        self._write = write
        self._letters = letters
        self._most_lines = most_lines
        self._tries = MOST_TRIES

    def send_all(self, pieces: Iterable[Lines]) -> None:
        """As `send`, pieces together as far as they fit: to cut a body takes as long as to format it."""
        held: list[bytes] = []
        number = 0
        for piece in pieces:
            if held and number + piece.number > self._most_lines:
                self._send(held, number)
                held, number = [], 0
            held.append(piece.text)
            number += piece.number
        self._send(held, number)

    def send(self, body: bytes) -> None:
        """Raises NotDelivered when any of it has to be sent again; it is safe to send all of it again."""
        self._send([body], body.count(b"\n"))

    def _send(self, pieces: Sequence[bytes], number: int) -> None:
        for part in self._parts(pieces, number):
            self._settle(part, self._try(part))

    def _parts(self, pieces: Sequence[bytes], number: int) -> Iterator[Sequence[bytes]]:
        if number <= self._most_lines:
            if number:
                yield pieces if len(pieces) <= _FEW else [b"".join(pieces)]
            return
        lines = _single(pieces)
        for start in range(0, len(lines), self._most_lines):
            yield [b"".join(lines[start : start + self._most_lines])]

    def _try(self, body: Sequence[bytes]) -> Answer:
        self._tries -= 1
        answer = self._write(body)
        if not answer.settles:
            raise NotDelivered(answer)
        return answer

    def _settle(self, body: Sequence[bytes], answer: Answer) -> None:
        if answer.kind is Kind.TAKEN:
            return
        lines = _single(body)
        hopeless = len(lines) == 1 or answer.dropped == len(lines)
        if hopeless or (self._tries <= 0 and answer.kind is Kind.PARTIAL):
            reason = "too_large" if answer.kind is Kind.TOO_LARGE else reason_of(answer.why)
            number = len(lines) if hopeless else answer.dropped
            self._letters.add(reason, answer.why, number, lines if hopeless else ())
            return
        middle = len(lines) // 2
        for half in (lines[:middle], lines[middle:]):
            self.send(b"".join(half))


def _single(pieces: Sequence[bytes]) -> list[bytes]:
    return b"".join(pieces).splitlines(keepends=True)
