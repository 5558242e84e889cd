"""The courier between an outbox and real receivers."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from faultline_collector.notify.courier import Courier
from faultline_collector.notify.fate import Fate
from faultline_collector.notify.notifiers import open_notifier
from tests.collector.notify.posts import Post, now_us, until
from tests.collector.notify.receivers import BUSY, HANG, NEVER, REFUSE, RESET, TAKE, receiving
from tests.collector.notify.worlds import SECOND_US, life, settings


@pytest.mark.parametrize("trouble", [REFUSE, RESET, BUSY])
async def test_what_was_not_taken_is_tried_again_under_the_same_id(post: Post, trouble: str) -> None:
    """Two tries fail, the third is taken; the end of the outage waits for it."""
    with receiving(trouble, TAKE) as receiver:
        post.tell(receiver)
        post.keep(*life())
        async with post.courier():
            await until(lambda: post.fates() == ["sent", "sent"])
    kinds = [(r.document["kind"], r.answer) for r in receiver.requests]
    assert kinds == [("confirmed", trouble), ("confirmed", TAKE), ("resolved", TAKE)]
    assert receiver.requests[0].notice == receiver.requests[1].notice
    assert receiver.requests[0].body == receiver.requests[1].body
    assert post.outbox.deliveries()[1].tries == 2


async def test_a_receiver_that_hangs_holds_up_nobody_else(post: Post) -> None:
    """Each try has a deadline, and receivers have nothing to do with each other."""
    with receiving(HANG) as hanging, receiving(TAKE) as quick:
        post.tell(hanging, quick)
        impatient = post.settings.receivers[0].model_copy(update={"timeout": timedelta(milliseconds=200)})
        receivers = (impatient, post.settings.receivers[1])
        post.settings = post.settings.model_copy(update={"receivers": receivers})
        for i in range(6):
            post.keep(*life(f"o-{i}"))
        async with post.courier():
            await until(lambda: sum(d.fate is Fate.WAITING for d in post.outbox.deliveries()) == 12)
            await until(lambda: any("no answer within 0.2 s" in d.said for d in post.outbox.deliveries()))
    assert len(quick.taken()) == 12
    assert post.waits["r0"] > 0


async def test_another_failure_does_not_shorten_the_pause_that_was_asked_for(post: Post) -> None:
    """A receiver that says when to come back is left alone until then."""
    with receiving(HANG, BUSY, TAKE) as receiver:
        post.tell(receiver, timeout="2s")
        now, turns = now_us() + 60 * SECOND_US, []

        async def sleep(seconds: float) -> None:
            turns.append(seconds)
            await asyncio.sleep(0.01)

        post.keep(life("o-0")[1])
        post.keep(life("o-1")[1])
        courier = Courier(post.outbox, lambda: post.settings, lambda: now, sleep=sleep)
        task = asyncio.create_task(courier.run())
        failed = ["answered 429: I busy", "no answer within 2 s"]
        await until(lambda: sorted(d.said for d in post.outbox.deliveries()) == failed)
        post.keep(life("o-2")[1])
        before = len(turns)
        await until(lambda: len(turns) > before + 2)
        task.cancel()
        await asyncio.wait([task])
        assert len(receiver.requests) == 2


async def test_what_can_never_be_taken_is_given_up_and_told(post: Post) -> None:
    """So is what was tried for long enough; the next notice is tried all the same."""
    with receiving(NEVER, REFUSE) as receiver:
        post.tell(receiver, give_up="1ms")
        post.keep(*life())
        async with post.courier():
            await until(lambda: post.fates() == ["failed", "failed"])
    assert [d.said for d in post.outbox.deliveries()[::-1]] == [
        "answered 400: I never",
        "answered 500: I refuse",
    ]


async def test_nothing_is_lost_when_couriers_are_cut_off(post: Post) -> None:
    """However often delivery is cut off, each notice is taken at least once, in order, under one id."""
    with receiving(TAKE, RESET, TAKE, REFUSE, TAKE, HANG, TAKE) as receiver:
        post.tell(receiver, timeout="300ms")
        for i in range(5):
            post.keep(*life(f"o-{i}")[:2])
            async with post.courier():
                await until(lambda: bool(receiver.requests))
            post.keep(life(f"o-{i}")[2])
        async with post.courier():
            await until(lambda: set(post.fates()) == {"sent"})
    made = [d.notice.id for d in post.outbox.deliveries()[::-1]]
    assert len(made) == 10
    assert set(receiver.taken()) == set(made)
    for i in range(5):
        taken = [r.document["kind"] for r in receiver.requests if r.document["outage"]["id"] == f"o-{i}"]
        assert taken == sorted(taken), "confirmed before resolved"


async def test_other_settings_are_taken_over_while_it_works(post: Post) -> None:
    """What waited for a receiver goes where that receiver is now."""
    with receiving(REFUSE) as old, receiving(TAKE) as new:
        post.tell(old)
        post.keep(*life()[:2])
        async with post.courier():
            await until(lambda: bool(old.requests))
            post.tell(new)
            await until(lambda: post.fates() == ["sent"])
    assert len(new.taken()) == 1


async def test_what_waits_for_a_receiver_that_is_no_more_has_failed(post: Post) -> None:
    """Also where it was the last one; nothing waits for it any longer."""
    with receiving(REFUSE) as receiver:
        post.tell(receiver)
        post.keep(life()[1])
        async with post.courier():
            await until(lambda: post.waits == {"r0": 1} and bool(receiver.requests))
            post.tell()
            await until(lambda: post.fates() == ["failed"])
    assert post.outbox.deliveries()[0].said == "there is no such receiver any more"
    assert post.waits == {"r0": 0}


async def test_a_repeat_that_fails_is_logged_when_its_reason_changes(post: Post) -> None:
    """An alert that nobody repeats would end by itself while its outage goes on."""
    with receiving(TAKE, REFUSE) as receiver, capture_logs() as logs:
        post.settings = settings(
            receivers=[{"id": "am", "kind": "alertmanager", "url": receiver.url, "repeat": "1s"}]
        )
        post.keep(life()[1])
        async with post.courier():
            await until(lambda: post.outbox.deliveries()[0].tries == 2)
    failed = [(log["receiver"], log["error"]) for log in logs if log["event"] == "notice not delivered"]
    assert (post.fates(), failed) == (["sent"], [("am", "answered 500: I refuse")])


async def test_a_bug_in_a_notifier_is_a_failed_try(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends neither the courier nor the notice. Only a notifier with a bug can show it."""

    class Broken:
        repeat_s = None

        async def deliver(self, notice: object, now_us: int) -> None:
            raise ZeroDivisionError

        async def close(self) -> None:
            pass

    broken = [Broken()]
    monkeypatch.setattr(
        "faultline_collector.notify.courier.open_notifier",
        lambda kind, given: broken.pop() if broken else open_notifier(kind, given),
    )
    with receiving(TAKE) as receiver:
        post.tell(receiver)
        post.keep(*life()[:2])
        async with post.courier():
            await until(lambda: "ZeroDivisionError" in post.outbox.deliveries()[0].said)
            post.tell(receiver, timeout="9s")
            await until(lambda: post.fates() == ["sent"])
