"""The closed set of things a probe can find."""

from enum import IntEnum


class Outcome(IntEnum):
    """What a probe found; the numbers are those of `faultline.v1.Outcome`."""

    OK = 1
    DNS = 2
    CONNECT = 3
    TLS = 4
    HTTP = 5
    CONTENT = 6
    TIMEOUT = 7
    INCONCLUSIVE = 8

    @property
    def word(self) -> str:
        """The outcome as users read it: `ok`, `dns`, ..."""
        return self.name.lower()

    @property
    def failed(self) -> bool:
        """Whether it speaks against the target."""
        return self not in (Outcome.OK, Outcome.INCONCLUSIVE)


WORDS: dict[str, Outcome] = {outcome.word: outcome for outcome in Outcome}
"""Every outcome by its word."""
