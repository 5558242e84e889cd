"""A line beside the spool that outlives it: its id, the last sequence that it gave out, and whose it is."""

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path

from faultline_agent.uplinks.uplink import LostRange

_LINE = re.compile(rb"([0-9a-f]{32}) ([0-9]{20}) ([0-9a-f]{32})\n")


class Mark:
    """The file. A kill leaves it whole; after a power cut it may be some seconds behind the spool."""

    def __init__(self, path: Path, agent_id: str) -> None:
        self._agent = hashlib.blake2s(agent_id.encode(), digest_size=16).hexdigest()  # of one width
        self._file: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def read(self) -> LostRange | None:
        """What the agent's marked spool has given out; None where it says nothing of this agent's."""
        assert self._file is not None
        found = _LINE.fullmatch(os.pread(self._file, 128, 0))
        if found is None or found[3].decode() != self._agent:
            return None
        return LostRange(found[1].decode(), 1, int(found[2]))

    def write(self, spool_id: str, last: int) -> None:
        """Marks; that it fails must not fail what is in the spool already."""
        assert self._file is not None
        with suppress(OSError):
            os.pwrite(self._file, f"{spool_id} {last:020d} {self._agent}\n".encode(), 0)

    def close(self) -> None:
        """Closes the file; safe twice."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
