"""A line beside the spool that outlives it: which spool it is, and the last sequence that it gave out."""

import os
import re
from contextlib import suppress
from pathlib import Path

from faultline_agent.uplinks.uplink import LostRange

_LINE = re.compile(rb"([0-9a-f]{32}) ([0-9]{20})\n")


class Mark:
    """The file. A kill leaves it whole; after a power cut it may be some seconds behind the spool."""

    def __init__(self, path: Path) -> None:
        self._file: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def read(self) -> LostRange | None:
        """What the marked spool has given out; None where it says nothing."""
        assert self._file is not None
        found = _LINE.fullmatch(os.pread(self._file, 64, 0))
        return None if found is None else LostRange(found[1].decode(), 1, int(found[2]))

    def write(self, spool_id: str, last: int) -> None:
        """Marks; that it fails must not fail what is in the spool already."""
        assert self._file is not None
        with suppress(OSError):
            os.pwrite(self._file, b"%s %020d\n" % (spool_id.encode(), last), 0)

    def close(self) -> None:
        """Closes the file; safe twice."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
