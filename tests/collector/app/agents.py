"""A scripted agent that keeps what is not acknowledged and sends it again, as a real one does."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc.aio

from faultline import PROTOCOL
from faultline.ranges import Ranges
from faultline.v1 import results_pb2, session_pb2, session_pb2_grpc


def batch(first: int, count: int, *, target: str = "web", outcome: int = 1) -> results_pb2.Batch:
    """Results of one target, measured just now."""
    now_us = time.time_ns() // 1000
    return results_pb2.Batch(
        lane=results_pb2.LANE_LIVE,
        first_sequence=first,
        count=count,
        target_ids=[target],
        started_delta_us=[now_us - count, *[1] * (count - 1)],
        outcome=[outcome] * count,  # type: ignore[list-item]
        timings=[results_pb2.Timing(name="total", us=[1500] * count)],
    )


@dataclass
class ScriptedAgent:
    """One agent with a spool in memory; `unacknowledged` is what it would send again."""

    name: str
    token: str
    address: Callable[[], str]
    spool_id: str = "spool-1"
    spool: dict[int, results_pb2.Batch] = field(default_factory=dict)
    dropped: list[results_pb2.DroppedRange] = field(default_factory=list)
    acknowledged: Ranges = field(default_factory=Ranges)
    next_sequence: int = 1

    def record(self, count: int, **kwargs: Any) -> None:
        """Puts results into the spool."""
        self.spool[self.next_sequence] = batch(self.next_sequence, count, **kwargs)
        self.next_sequence += count

    def drop(self, count: int) -> None:
        """Loses the next sequences, and will say so."""
        last = self.next_sequence + count - 1
        lost = results_pb2.Range(first=self.next_sequence, last=last)
        self.dropped.append(results_pb2.DroppedRange(range=lost, reason="bytes"))
        self.next_sequence += count

    @property
    def done(self) -> bool:
        """Whether every sequence is acknowledged."""
        return self.acknowledged.covers(1, self.next_sequence - 1)

    async def deliver(self) -> None:
        """Connects, sends all that is not acknowledged and stays until it is; again after each break."""
        while not self.done:
            try:
                async with grpc.aio.insecure_channel(self.address()) as channel:
                    await self._session(channel)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.05)

    async def _session(self, channel: Any) -> None:
        stub: Any = session_pb2_grpc.AgentsStub(channel)
        call = stub.Session(metadata=(("authorization", f"Bearer {self.token}"),), timeout=120)
        hello = session_pb2.Hello(
            agent_id=self.name,
            boot_id="boot",
            spool_id=self.spool_id,
            protocol=PROTOCOL,
            clock_us=time.time_ns() // 1000,
        )
        await call.write(session_pb2.AgentMessage(hello=hello))
        assert (await call.read()).WhichOneof("body") == "welcome"
        sending = asyncio.create_task(self._send(call))
        try:
            while not self.done:
                message = await call.read()
                if not isinstance(message, session_pb2.CollectorMessage):
                    return
                for one in message.ack.durable:
                    self.acknowledged.add(one.first, one.last)
        finally:
            call.cancel()
            sending.cancel()
            await asyncio.wait([sending])

    async def _send(self, call: Any) -> None:
        beat = session_pb2.Heartbeat(clock_us=time.time_ns() // 1000, well=True, dropped=self.dropped)
        await call.write(session_pb2.AgentMessage(heartbeat=beat))
        for first, one in self.spool.items():
            if not self.acknowledged.covers(first, first + one.count - 1):
                await call.write(session_pb2.AgentMessage(batch=one))
