"""Answers without an end in sight: events, and results by the million."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from faultline_collector.api.board import Board
from faultline_collector.api.events import HEARTBEAT, Reader, TooManyReaders
from faultline_collector.api.pool import Busy, Pool
from faultline_collector.stores.store import StoreError

LONGEST_STREAM_S = 600.0
"""How long one reader of results may take."""


def refusal(error: Exception) -> JSONResponse:
    """503 with the reason and when to come back."""
    return JSONResponse({"error": str(error)}, 503, {"Retry-After": "5", "Cache-Control": "no-store"})


class EventStream(StreamingResponse):
    """Server-sent events: the state at once, then every change."""

    media_type = "text/event-stream"

    def __init__(self, board: Board, heartbeat_s: float) -> None:
        super().__init__(_nothing(), headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._board = board
        self._heartbeat_s = heartbeat_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Streams until the reader goes or the board closes; nothing but headers for HEAD."""
        if scope["method"] == "HEAD":
            return await super().__call__(scope, receive, send)
        try:
            with self._board.events.reader(self._board.state_event) as reader:
                self.body_iterator = self._wire(reader)
                await super().__call__(scope, receive, send)
        except TooManyReaders as error:
            await refusal(error)(scope, receive, send)

    async def _wire(self, reader: Reader) -> AsyncIterator[bytes]:
        async for change in reader.changes(self._heartbeat_s):
            yield HEARTBEAT if change is None else change.wire


class LineStream(StreamingResponse):
    """Lines, taken piece by piece; a failure on the way is a last line with `error`."""

    def __init__(self, pool: Pool, pieces: Iterator[bytes], media_type: str = "application/x-ndjson") -> None:
        super().__init__(_nothing(), headers={"Cache-Control": "no-store"}, media_type=media_type)
        self._pool = pool
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Streams what there is; ends a reader who takes too long."""
        if scope["method"] == "HEAD":
            return await super().__call__(scope, receive, send)
        try:
            async with asyncio.timeout(LONGEST_STREAM_S), self._pool.place():
                async with aclosing(self._pool.steps(self._pieces)) as pieces:
                    first = await anext(pieces, b"")
                    self.body_iterator = _lines(first, pieces)
                    await super().__call__(scope, receive, send)
        except (Busy, StoreError) as error:
            await refusal(error)(scope, receive, send)


async def _lines(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    try:
        async for piece in rest:
            yield piece
    except (Busy, StoreError) as error:
        yield json.dumps({"error": str(error)}).encode() + b"\n"


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
