"""Outages with their evidence: read from the registry once a change, whoever and however many ask."""

import asyncio
from functools import partial

from faultline_collector.api.board import Board
from faultline_collector.api.history import History
from faultline_collector.api.prepared import Prepared, prepare_answer
from faultline_collector.api.rows import story


class Stories:
    """Shares one look-up among all who ask for an outage that is on the board."""

    def __init__(self, board: Board, history: History) -> None:
        self._board = board
        self._history = history
        self._turn = 0
        self._asked: dict[str, asyncio.Task[Prepared | None]] = {}

    async def read(self, outage_id: str) -> Prepared | None:
        """The story of an outage, or None when there is none; raises Busy."""
        if not self._board.is_listed(outage_id):
            return await self._find(outage_id)
        if self._turn != self._board.turn:
            self._turn, self._asked = self._board.turn, {}
        task = self._asked.get(outage_id)
        if task is None or (task.done() and task.exception() is not None):
            task = self._asked[outage_id] = asyncio.create_task(self._find(outage_id))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    async def _find(self, outage_id: str) -> Prepared | None:
        return await self._history.pool.ask(partial(self._tell, outage_id))

    def _tell(self, outage_id: str) -> Prepared | None:
        found = self._history.outage(outage_id)
        return None if found is None else prepare_answer(story(*found, self._history.proofs(outage_id)))
