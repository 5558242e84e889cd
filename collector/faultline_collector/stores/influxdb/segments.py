"""Append-only files of entries in one folder; what was appended is on disk when `append` returns."""

import os
from collections.abc import Iterator
from contextlib import suppress
from errno import ENOSPC
from pathlib import Path
from typing import NamedTuple

from faultline_collector.stores.influxdb.entries import frame, framed

SEGMENT_BYTES = 16 * 1024 * 1024
"""A file that has grown beyond it is followed by another."""

RESERVE_BYTES = 16 * 1024 * 1024
"""So much of the disk is left free: what empties the outbox has to write, too."""

_PATTERN = "*.entries"


class Location(NamedTuple):
    """Where an entry's payload lies."""

    segment: int
    begin: int
    end: int


class Segments:
    """Files named for the number of their first entry. Not safe for threads; one process at a time."""

    def __init__(
        self, folder: Path, segment_bytes: int = SEGMENT_BYTES, reserve_bytes: int = RESERVE_BYTES
    ) -> None:
        self._folder = folder
        self._most = segment_bytes
        self._reserve = reserve_bytes
        self._sizes: dict[int, int] = {}
        self._active = -1
        self._file = -1

    @property
    def size(self) -> int:
        """The size of all files."""
        return sum(self._sizes.values())

    def scan(self) -> Iterator[tuple[int, Location, memoryview]]:
        """All entries, oldest file first, with their numbers; what was torn at the end of a file is cut off.

        A number may come twice, after a failure that could not be undone: the later one counts.
        """
        for path in sorted(self._folder.glob(_PATTERN)):
            segment = int(path.stem)
            data = path.read_bytes()
            end = 0
            for number, begin, end in framed(data):
                yield number, Location(segment, begin, end), memoryview(data)[begin:end]
            if end < len(data):
                os.truncate(path, end)
            self._sizes[segment] = end

    def append(self, number: int, payload: bytes) -> Location:
        """Writes an entry and waits for the disk; raises OSError and leaves nothing of it."""
        data = frame(number, payload)
        self._refuse_when_full(len(data))
        if self._file < 0 or self._sizes[self._active] >= self._most:
            self._begin(number)
        end = self._sizes[self._active]
        try:
            _write(self._file, data)
            os.fdatasync(self._file)
        except OSError:
            self._give_up(end)
            raise
        self._sizes[self._active] = end + len(data)
        return Location(self._active, end + len(data) - len(payload), end + len(data))

    def read(self, location: Location) -> bytes:
        """The payload that lies there; raises OSError."""
        with self._path(location.segment).open("rb") as file:
            file.seek(location.begin)
            return file.read(location.end - location.begin)

    def drop(self, segment: int) -> None:
        """Removes a file."""
        if segment == self._active:
            self.close()
        self._path(segment).unlink(missing_ok=True)
        self._sizes.pop(segment, None)

    def close(self) -> None:
        """Lets go of the file that is written to; the next append begins another."""
        if self._file >= 0:
            os.close(self._file)
        self._file = self._active = -1

    def _path(self, segment: int) -> Path:
        return self._folder / f"{segment:020}.entries"

    def _refuse_when_full(self, needed: int) -> None:
        disk = os.statvfs(self._folder)
        if disk.f_bavail * disk.f_frsize < needed + self._reserve:
            raise OSError(ENOSPC, os.strerror(ENOSPC))

    def _begin(self, number: int) -> None:
        self.close()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC
        self._file = os.open(self._path(number), flags, 0o600)
        self._active = number
        self._sizes[number] = 0
        _sync_folder(self._folder)

    def _give_up(self, end: int) -> None:
        with suppress(OSError):
            os.ftruncate(self._file, end)
        if end == 0:
            self.drop(self._active)
        else:
            self.close()


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while len(view):
        view = view[os.write(file, view) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
