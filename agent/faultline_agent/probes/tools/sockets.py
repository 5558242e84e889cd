"""What the operating system's errors mean to a probe."""

import errno
import os

from faultline.outcomes import Outcome
from faultline_agent.probes.probe import ProbeFailed, Tools

ERRNOS: dict[int, tuple[Outcome, str]] = {
    errno.ECONNREFUSED: (Outcome.CONNECT, "connection refused"),
    errno.ECONNRESET: (Outcome.CONNECT, "connection reset"),
    errno.ECONNABORTED: (Outcome.CONNECT, "connection aborted"),
    errno.EPIPE: (Outcome.CONNECT, "connection closed by the other side"),
    errno.EHOSTUNREACH: (Outcome.CONNECT, "host unreachable"),
    errno.EHOSTDOWN: (Outcome.CONNECT, "host down"),
    errno.ENETUNREACH: (Outcome.CONNECT, "network unreachable"),
    errno.ENETDOWN: (Outcome.INCONCLUSIVE, "this agent's network is down"),
    errno.EPROTO: (Outcome.CONNECT, "protocol error"),
    errno.ETIMEDOUT: (Outcome.TIMEOUT, "no connection before the system gave up"),
    errno.EACCES: (Outcome.INCONCLUSIVE, "this agent's firewall forbids it"),
    errno.EPERM: (Outcome.INCONCLUSIVE, "this agent's firewall forbids it"),
    errno.EADDRNOTAVAIL: (Outcome.INCONCLUSIVE, "this agent has no free local address or port"),
    errno.EADDRINUSE: (Outcome.INCONCLUSIVE, "this agent has no free local port"),
    errno.EAFNOSUPPORT: (Outcome.INCONCLUSIVE, "this agent lacks this address family"),
    errno.EINVAL: (Outcome.INCONCLUSIVE, "this agent's system refuses the address"),
    errno.EMFILE: (Outcome.INCONCLUSIVE, "this agent has too many open files"),
    errno.ENFILE: (Outcome.INCONCLUSIVE, "this agent's machine has too many open files"),
    errno.ENOBUFS: (Outcome.INCONCLUSIVE, "this agent's machine is out of buffers"),
    errno.ENOMEM: (Outcome.INCONCLUSIVE, "this agent's machine is out of memory"),
}
"""Every errno that connect, send or recv is documented to give: what it says of the target."""


def failed(number: int, subject: str) -> ProbeFailed:
    """The failure that an errno stands for; an unknown one says nothing about the target."""
    outcome, said = ERRNOS.get(number, (Outcome.INCONCLUSIVE, os.strerror(number)))
    return ProbeFailed(outcome, f"{subject}: {said}")


def telling(before: ProbeFailed | None, now: ProbeFailed) -> ProbeFailed:
    """Of the failures of two addresses the one to tell: where the agent lacks the way, no other is hidden."""
    return before if before and now.outcome is Outcome.INCONCLUSIVE else now


def check_policy(tools: Tools, address: str, port: int) -> None:
    """Raises ProbeFailed when the agent's policy forbids to connect there."""
    if refused := tools.refusal(address, port):
        raise ProbeFailed(Outcome.INCONCLUSIVE, refused)
