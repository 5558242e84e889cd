"""Orders as messages of faultline.v1, and what agents answer to them."""

from faultline.v1 import session_pb2
from faultline_collector.inquiry.orders import Evidence, Order, ProbeNow


def order_message(order: Order) -> session_pb2.CollectorMessage:
    """An order as an agent is told it."""
    if isinstance(order, ProbeNow):
        probe_now = session_pb2.ProbeNow(
            target_ids=order.target_ids, cadence_us=order.cadence_us, until_us=order.until_us
        )
        return session_pb2.CollectorMessage(probe_now=probe_now)
    explain = session_pb2.Explain(
        request_id=order.request_id, target_id=order.target_id, kinds=order.kinds, until_us=order.until_us
    )
    return session_pb2.CollectorMessage(explain=explain)


def evidence_of(evidence: session_pb2.Evidence, offset_us: int) -> Evidence:
    """What an agent gives; `offset_us` is the collector's clock minus the agent's."""
    return Evidence(
        request_id=evidence.request_id,
        target_id=evidence.target_id,
        kind=evidence.kind,
        gathered_us=evidence.gathered_us + offset_us,
        text=evidence.json,
    )
