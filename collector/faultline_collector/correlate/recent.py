"""The failures of the last rounds, sparse: what the screen and the nulls read."""

import numpy as np
import numpy.typing as npt

from faultline_collector.correlate.layout import Index
from faultline_collector.results import Int8, Int64, Mask


class Recent:
    """Failed rounds not older than eight of their intervals, in order of arrival."""

    def __init__(self) -> None:
        self.cell: Index = np.empty(0, np.intp)
        self.started_us: Int64 = np.empty(0, np.int64)
        self.until_us: Int64 = np.empty(0, np.int64)
        self.outcome: Int8 = np.empty(0, np.uint8)

    def __len__(self) -> int:
        return len(self.cell)

    def add(self, cell: Index, started_us: Int64, until_us: Int64, outcome: Int8) -> None:
        """Enters failures; `until_us` is when each is forgotten."""
        self.cell = np.concatenate((self.cell, cell))
        self.started_us = np.concatenate((self.started_us, started_us))
        self.until_us = np.concatenate((self.until_us, until_us))
        self.outcome = np.concatenate((self.outcome, outcome))

    def trim(self, now_us: int) -> None:
        """Forgets what is too old."""
        if len(self) and int(self.until_us.min()) < now_us:
            self.keep(self.until_us >= now_us)

    def keep(self, which: Mask | npt.NDArray[np.intp]) -> None:
        """Keeps some and forgets the rest."""
        self.cell, self.started_us = self.cell[which], self.started_us[which]
        self.until_us, self.outcome = self.until_us[which], self.outcome[which]
