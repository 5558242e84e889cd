"""Threads for questions: bounded places, deadlines, iterators closed after their thread."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from faultline_collector.api.pool import Busy, Pool

PATIENCE_S = 30.0


async def test_an_answer_comes_from_a_thread() -> None:
    """The loop is not blocked by it."""
    assert await Pool("t").ask(lambda: threading.current_thread().name) == "faultline-t_0"


async def test_beyond_its_places_a_question_is_turned_away_at_once() -> None:
    """And taken again when the thread is free."""
    pool, gate = Pool("t", threads=1, places=1), threading.Event()
    first = asyncio.ensure_future(pool.ask(lambda: gate.wait(PATIENCE_S)))
    await asyncio.sleep(0)
    with pytest.raises(Busy, match="1 questions are being answered already"):
        await pool.ask(lambda: True)
    gate.set()
    assert await first
    assert await until_free(pool)


async def test_a_late_answer_keeps_its_place_until_its_thread_ends() -> None:
    """Else slow questions would pile up behind their deadlines."""
    pool, gate = Pool("t", threads=1, places=1, deadline_s=0.01), threading.Event()
    with pytest.raises(Busy, match=r"longer than 0\.01 s"):
        await pool.ask(lambda: gate.wait(PATIENCE_S))
    with pytest.raises(Busy, match="already"):
        await pool.ask(lambda: True)
    gate.set()
    assert await until_free(pool)


async def test_an_error_comes_through_and_frees_the_place() -> None:
    """As the error that it is."""
    pool = Pool("t", threads=1, places=1)
    with pytest.raises(ZeroDivisionError):
        await pool.ask(lambda: 1 / 0)
    assert await until_free(pool)


async def test_steps_take_an_iterator_item_by_item() -> None:
    """To its end, with empty items too."""
    pool = Pool("t")
    async with pool.place():
        assert [item async for item in pool.steps(iter([b"a", b"", b"c"]))] == [b"a", b"", b"c"]


async def test_an_iterator_is_closed_only_when_its_thread_has_left_it() -> None:
    """A reader that goes in the middle of a step ends the step's work, not the process."""
    inside, gate, closed = threading.Event(), threading.Event(), threading.Event()

    def slow() -> Iterator[int]:
        try:
            inside.set()
            gate.wait(PATIENCE_S)
            yield 1
        finally:
            closed.set()

    steps = Pool("t").steps(slow())
    waiting = asyncio.ensure_future(anext(steps))
    assert await asyncio.to_thread(inside.wait, PATIENCE_S)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not closed.is_set()
    gate.set()
    assert await asyncio.to_thread(closed.wait, PATIENCE_S)


async def until_free(pool: Pool) -> bool:
    """Whether the pool takes a question again within the test's patience."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await pool.ask(lambda: True)
            except Busy:
                await asyncio.sleep(0)
