"""The failures of the last rounds, sparse: what the screen and the nulls read."""

import numpy as np

from faultline_collector.correlate.layout import Index
from faultline_collector.results import Int8, Int64, Mask

_COLUMNS = ("cell", "started_us", "until_us", "outcome", "slot")


class Recent:
    """Failed rounds not older than eight of their intervals, in order of arrival."""

    def __init__(self) -> None:
        self.cell: Index = np.empty(0, np.intp)
        self.started_us: Int64 = np.empty(0, np.int64)
        self.until_us: Int64 = np.empty(0, np.int64)
        self.outcome: Int8 = np.empty(0, np.uint8)
        self.slot: Int64 = np.empty(0, np.int64)
        self._held: set[int] = set()

    def __len__(self) -> int:
        return len(self.cell)

    def add(self, cell: Index, slot: Int64, started_us: Int64, until_us: Int64, outcome: Int8) -> None:
        """Enters failed rounds, each once; `until_us` is when each is forgotten."""
        new = []
        for at, name in enumerate(self._names(cell, slot).tolist()):
            if name not in self._held:
                self._held.add(name)
                new.append(at)
        self.cell = np.concatenate((self.cell, cell[new]))
        self.slot = np.concatenate((self.slot, slot[new]))
        self.started_us = np.concatenate((self.started_us, started_us[new]))
        self.until_us = np.concatenate((self.until_us, until_us[new]))
        self.outcome = np.concatenate((self.outcome, outcome[new]))

    def drop(self, cell: Index, slot: Int64) -> None:
        """Forgets these rounds."""
        self.keep(~np.isin(self._names(self.cell, self.slot), self._names(cell, slot)))

    @staticmethod
    def _names(cell: Index, slot: Int64) -> Int64:
        out: Int64 = cell.astype(np.int64) * (1 << 32) + (slot & 0xFFFFFFFF)
        return out

    def trim(self, now_us: int) -> None:
        """Forgets what is too old."""
        if len(self) and int(self.until_us.min()) < now_us:
            self.keep(self.until_us >= now_us)

    def keep(self, which: Mask) -> None:
        """Keeps some and forgets the rest."""
        self._held.difference_update(self._names(self.cell[~which], self.slot[~which]).tolist())
        for name in _COLUMNS:
            setattr(self, name, getattr(self, name)[which])

    def select(self, which: Mask) -> "Recent":
        """Some of them, as they are now."""
        some = Recent()
        for name in _COLUMNS:
            setattr(some, name, getattr(self, name)[which])
        return some

    def take_over(self, old: "Recent", place: Index) -> None:
        """Takes over what is remembered; `place` says where each cell of `old` is now, -1 for nowhere."""
        for name in _COLUMNS:
            setattr(self, name, getattr(old, name))
        self.cell = place[old.cell]
        self.keep(self.cell >= 0)
        self._held = set(self._names(self.cell, self.slot).tolist())
