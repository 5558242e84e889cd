"""Evidence per cell: for each agent and target a ring of its last rounds, one byte each."""

from dataclasses import dataclass

import numpy as np

from faultline.outcomes import Outcome
from faultline_collector.correlate.layout import Index
from faultline_collector.results import Int8, Int64, Mask

ROUNDS = 16
"""Rounds that a cell remembers."""

OUTCOME = 0x07
"""Bits of a round that hold its outcome, 0 for none."""
LATE = 0x08
"""Bit of a round that came too late to be news."""
RETRY_OK = 0x10
"""Bit of a failed round whose retry went well."""
RETRY_FAILED = 0x20
"""Bit of a failed round whose retry failed too."""
SLOW = 0x40
"""Bit of a round that went well, but slower than is usual for its cell."""
AWAITED = 0x80
"""Bit of a round that is overdue: taken for a timeout until it comes."""

NEVER = np.iinfo(np.int64).min // 4
"""Stands for a time that has not been."""


@dataclass(frozen=True, slots=True, eq=False)
class Evicted:
    """Rounds that left the rings: of which flat cell, their outcome (0 where it was none, or no news), and
    which were slow."""

    cell: Index
    outcome: Int8
    slow: Mask


def together(parts: list[Evicted]) -> Evicted:
    """All of these as one."""
    nothing = Evicted(np.empty(0, np.intp), np.empty(0, np.uint8), np.empty(0, bool))
    return Evicted(
        *(np.concatenate([getattr(part, name) for part in (nothing, *parts)]) for name in Evicted.__slots__)
    )


class Cells:
    """Rings of rounds; a round's slot is its start in intervals, so order and repeats do not matter."""

    def __init__(self, agents: int, targets: int, interval_us: Int64) -> None:
        self.agents = agents
        self.targets = targets
        self.interval_us = interval_us
        size = agents * targets
        self.rounds = np.zeros((size, ROUNDS), np.uint8)
        self.head = np.full(size, NEVER, np.int64)
        self.phase_us = np.zeros(size, np.int64)
        self.floor_us = np.full(size, NEVER, np.int64)
        self._mark = np.zeros(size, np.int32)

    def begin(self, cell: Index, started_us: Int64) -> Int64:
        """The slots of rounds with these starts; cells that are new take their phase from them."""
        fresh = self.head[cell] == NEVER
        if fresh.any():
            self._begin(cell[fresh], started_us[fresh])
        return self.slot_of(cell, started_us)

    def put(
        self, cell: Index, slot: Int64, outcome: Int8, attempt: Int8, late: Mask, slow: Mask
    ) -> tuple[Evicted, Index]:
        """Enters results (inconclusive ones left out before).

        Gives the rounds that they pushed out, and which of these results had been awaited.
        """
        evicted = self._advance(cell, slot)
        keep = slot > self.head[cell] - ROUNDS
        at = cell * ROUNDS + (slot & (ROUNDS - 1))
        flat = self.rounds.reshape(-1)
        answers = np.flatnonzero(keep & (flat[at] & AWAITED != 0))
        flat[at[answers]] = 0
        code = np.where(late, outcome | LATE, outcome).astype(np.uint8)
        code[slow] |= SLOW
        if keep.all():
            self._write(at, code, attempt)
        else:
            self._write(at[keep], code[keep], attempt[keep])
        return evicted, answers

    def wait(self, cell: Index, slot: Int64) -> Evicted:
        """Enters rounds that are overdue; their slots are new."""
        evicted = self._advance(cell, slot)
        self.rounds[cell, slot % ROUNDS] = AWAITED | Outcome.TIMEOUT
        return evicted

    def outcome(self, cell: Index, slot: Int64) -> Int8:
        """What is remembered of these rounds; 0 where nothing is."""
        rounds: Int8 = self.rounds[cell, slot % ROUNDS]
        return rounds & np.uint8(OUTCOME)

    def slot_of(self, cell: Index, started_us: Int64) -> Int64:
        """In which of a cell's rounds a start falls."""
        step = self.interval_us[cell % self.targets]
        out: Int64 = np.floor_divide(started_us - self.phase_us[cell] + step // 2, step)
        return out

    def next_slot(self, cell: Index, started_us: Int64) -> Int64:
        """The slots of the rounds that are next at these times."""
        step = self.interval_us[cell % self.targets]
        out: Int64 = np.floor_divide(started_us - self.phase_us[cell], step) + 1
        return out

    def _begin(self, cell: Index, started_us: Int64) -> None:
        self.phase_us[cell[::-1]] = started_us[::-1]
        self.head[cell] = -1

    def _advance(self, cell: Index, slot: Int64) -> Evicted:
        before = self.head[cell]
        np.maximum.at(self.head, cell, slot)
        ahead = np.flatnonzero(slot > before)
        self._mark[cell[ahead]] = ahead
        ahead = ahead[self._mark[cell[ahead]] == ahead]
        moved, old = cell[ahead], before[ahead]
        new = self.head[moved]
        flat = self.rounds.reshape(-1)
        at = moved * ROUNDS + (new & (ROUNDS - 1))
        far = np.flatnonzero(new - old > 1)
        if far.size:
            skipped = np.arange(1, ROUNDS)
            gone = skipped < (new - old)[far, None]
            back = (moved * ROUNDS)[far, None] + ((new[far, None] - skipped) & (ROUNDS - 1))
            moved = np.concatenate((moved, np.repeat(moved[far], gone.sum(axis=1))))
            at = np.concatenate((at, back[gone]))
        codes = flat[at]
        flat[at] = 0
        outcome = np.where(codes & (LATE | AWAITED), 0, codes & OUTCOME).astype(np.uint8)
        return Evicted(moved, outcome, (codes & SLOW != 0) & (outcome == Outcome.OK))

    def _write(self, at: Int64, code: Int8, attempt: Int8) -> None:
        flat = self.rounds.reshape(-1)
        first = attempt == 0
        np.maximum.at(flat, at[first], code[first])
        if not first.all():
            self._write_retries(at[~first], code[~first])

    def _write_retries(self, at: Int64, code: Int8) -> None:
        """Beside their rounds' first attempts, come before or together with them; or in their place."""
        flat = self.rounds.reshape(-1)
        known = flat[at] & OUTCOME != 0
        np.maximum.at(flat, at[~known], code[~known])
        says = np.where(code & OUTCOME > Outcome.OK, RETRY_FAILED, RETRY_OK).astype(np.uint8)
        np.bitwise_or.at(flat, at[known], says[known])

    def started_us(self, cell: Index) -> Int64:
        """When the rounds of these cells began, as [cells, ROUNDS] beside `rounds[cell]`."""
        head = self.head[cell][:, None]
        slot: Int64 = head - (head - np.arange(ROUNDS)[None, :]) % ROUNDS
        step = self.interval_us[cell % self.targets][:, None]
        out: Int64 = self.phase_us[cell][:, None] + slot * step
        return out

    def back(self, cell: Index, step_us: Int64, now_us: int, longest_us: int) -> tuple[Int8, Int64]:
        """The rounds of these cells from the newest back, and their ages: [cells, rounds], microseconds.

        `step_us` are the cells' intervals; as many rounds as can be no older than `longest_us`.
        """
        head = np.maximum(self.head[cell], -1)
        age = now_us - self.phase_us[cell] - head * step_us
        most = int(((longest_us - age) // step_us).max(initial=-1)) + 1
        steps = np.arange(min(max(most, 0), ROUNDS))
        at = (cell * ROUNDS)[:, None] + ((head[:, None] - steps) & (ROUNDS - 1))
        rounds: Int8 = self.rounds.reshape(-1)[at]
        return rounds, age[:, None] + steps * step_us[:, None]

    def last_us(self, cell: Index) -> Int64:
        """When the newest round of these cells began; NEVER for cells that had none."""
        head = self.head[cell]
        at = self.phase_us[cell] + head * self.interval_us[cell % self.targets]
        out: Int64 = np.where(head == NEVER, NEVER, at)
        return out

    def learning(self, cell: Index, ago_us: float = 0.0) -> Mask:
        """Which of these cells had had fewer rounds than a ring holds then: nothing was learned of them."""
        head = self.head[cell]
        out: Mask = (head != NEVER) & (head < ROUNDS + ago_us // self.interval_us[cell % self.targets])
        return out

    def take_over(self, old: "Cells", rows: Index, columns: Index) -> None:
        """Takes over the evidence of common cells; -1 marks agents and targets that `old` did not have."""
        mine, theirs = common_cells(rows, columns, old.targets)
        same = old.interval_us[theirs % max(old.targets, 1)] == self.interval_us[mine % max(self.targets, 1)]
        mine, theirs = mine[same], theirs[same]
        for name in ("rounds", "head", "phase_us", "floor_us"):
            getattr(self, name)[mine] = getattr(old, name)[theirs]


def common_cells(rows: Index, columns: Index, old_targets: int) -> tuple[Index, Index]:
    """The flat cells that two fleets have in common, in the new one's numbers and in the old one's."""
    here, there = np.flatnonzero(rows >= 0), np.flatnonzero(columns >= 0)
    mine = (here[:, None] * columns.size + there[None, :]).reshape(-1)
    theirs = (rows[here][:, None] * old_targets + columns[there][None, :]).reshape(-1)
    return mine, theirs
