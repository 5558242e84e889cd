"""Asking resolvers, and finding the addresses of a host."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver

from faultline.outcomes import Outcome
from faultline_agent.probes.probe import ProbeFailed, Tools
from faultline_agent.probes.tools import sockets
from faultline_agent.probes.tools.endpoints import (
    Endpoint,
    Family,
    ascii_host,
    family_of,
    literal,
    resolver_endpoints,
)

PATIENCE_S = (1.0, 2.0, 4.0, 8.0, 16.0)
"""How long each resolver is waited for in each round; the attempt's own deadline ends it earlier."""

UNUSABLE = frozenset({dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NOTIMP})
"""Answers after which the next resolver is asked."""

ERRORS: dict[type[Exception], tuple[Outcome, str]] = {
    dns.exception.FormError: (Outcome.DNS, "the answer is malformed"),
    dns.exception.UnexpectedEnd: (Outcome.DNS, "the answer is cut off"),
    dns.message.UnknownTSIGKey: (Outcome.DNS, "the answer is signed with an unknown key"),
    EOFError: (Outcome.DNS, "the resolver closed the connection"),
}
"""What exchanging a message raises besides time-outs and OSError."""

FAMILIES: dict[str, tuple[dns.rdatatype.RdataType, ...]] = {
    "any": (dns.rdatatype.A, dns.rdatatype.AAAA),
    "4": (dns.rdatatype.A,),
    "6": (dns.rdatatype.AAAA,),
}
"""Record types that hold the addresses of a family; IPv4 first, since every vantage has it."""

_SOCKET_FAMILIES = {"any": socket.AF_UNSPEC, "4": socket.AF_INET, "6": socket.AF_INET6}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a resolver said."""

    resolver: Endpoint
    message: dns.message.Message
    over_tcp: bool

    @property
    def rcode(self) -> dns.rcode.Rcode:
        """The answer's code."""
        return self.message.rcode()

    def records(self) -> tuple[str, ...]:
        """The records of the type asked for at the end of the chain of CNAMEs, as text."""
        assert isinstance(self.message, dns.message.QueryMessage)
        try:
            found = self.message.resolve_chaining().answer
        except dns.exception.DNSException as error:
            raise ProbeFailed(Outcome.DNS, f"resolver {self.resolver}: the answer is malformed") from error
        return tuple(item.to_text() for item in found) if found is not None else ()


def parse_name(text: str) -> dns.name.Name:
    """Reads a host or domain name; ValueError with a sentence."""
    try:
        return dns.name.from_text(ascii_host(text))
    except dns.exception.DNSException as error:
        raise ValueError(f"{text!r} is not a name") from error


def system_resolvers() -> tuple[str, ...]:
    """The resolvers of /etc/resolv.conf."""
    reader = dns.resolver.Resolver(configure=False)
    try:
        reader.read_resolv_conf("/etc/resolv.conf")
    except dns.resolver.NoResolverConfiguration as error:
        raise ProbeFailed(Outcome.INCONCLUSIVE, "this agent's system names no resolver") from error
    return tuple(str(address) for address in reader.nameservers)


async def ask(resolvers: Sequence[Endpoint], name: dns.name.Name, kind: dns.rdatatype.RdataType) -> Answer:
    """Asks one resolver after the other until one has a usable answer; raises ProbeFailed or TimeoutError."""
    for patience_s in PATIENCE_S:
        last: Answer | ProbeFailed | None = None
        for resolver in resolvers:
            try:
                last = await _exchange(resolver, name, kind, patience_s) or last
            except ProbeFailed as failure:
                last = failure
            if isinstance(last, Answer) and last.rcode not in UNUSABLE:
                return last
        if isinstance(last, ProbeFailed):
            raise last
        if last is not None:
            return last
    raise TimeoutError


async def _exchange(
    resolver: Endpoint, name: dns.name.Name, kind: dns.rdatatype.RdataType, patience_s: float
) -> Answer | None:
    query = dns.message.make_query(name, kind)
    try:
        async with asyncio.timeout(patience_s):
            message = await _over_udp(query, resolver)
            truncated = bool(message.flags & dns.flags.TC)
            if truncated:
                message = await dns.asyncquery.tcp(query, resolver.host, port=resolver.port)
    except TimeoutError:
        return None
    except OSError as error:
        raise _unreachable(error, resolver) from error
    except (dns.exception.DNSException, EOFError) as error:
        raise _mapped(error, resolver) from error
    return Answer(resolver, message, truncated)


async def _over_udp(query: dns.message.Message, resolver: Endpoint) -> dns.message.Message:
    """Sends over a connected socket, so that a closed port is known at once and strangers are not heard."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if family_of(resolver.host) == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as channel:
        channel.connect(resolver)
        await loop.sock_sendall(channel, query.to_wire())
        while True:
            message = dns.message.from_wire(await loop.sock_recv(channel, 65_535))
            if query.is_response(message):
                return message


def _unreachable(error: OSError, resolver: Endpoint) -> ProbeFailed:
    """A resolver that cannot be reached is a failure to resolve, not to connect to the target."""
    failure = sockets.failed(error.errno or 0, f"resolver {resolver}")
    failed_to_resolve = failure.outcome is not Outcome.INCONCLUSIVE
    return ProbeFailed(Outcome.DNS, failure.sentence) if failed_to_resolve else failure


def _mapped(error: Exception, resolver: Endpoint) -> ProbeFailed:
    for known, (outcome, said) in ERRORS.items():
        if isinstance(error, known):
            return ProbeFailed(outcome, f"resolver {resolver}: {said}")
    return ProbeFailed(Outcome.INCONCLUSIVE, f"resolver {resolver}: {type(error).__name__}")


async def addresses(tools: Tools, host: str, family: Family) -> tuple[str, ...]:
    """The addresses of `host`, by the agent's resolvers or the system's; raises ProbeFailed."""
    if (itself := literal(host)) is not None:
        return (itself,)
    try:
        parse_name(host)
    except ValueError as error:
        raise ProbeFailed(Outcome.DNS, str(error)) from error
    if tools.resolvers:
        found = await _by_resolvers(tools.resolvers, host, family)
    else:
        found = await _by_system(host, family)
    if tools.story:
        by = ", ".join(tools.resolvers) or "the system"
        tools.story.tell("resolved", host=host, addresses=list(found), by=by)
    return found


async def _by_resolvers(resolvers: tuple[str, ...], host: str, family: Family) -> tuple[str, ...]:
    name, endpoints = parse_name(host), tuple(resolver_endpoints(resolvers))
    answers = await asyncio.gather(
        *(ask(endpoints, name, kind) for kind in FAMILIES[family]), return_exceptions=True
    )
    found = tuple(record for each in answers if isinstance(each, Answer) for record in _hold(each))
    if found:
        return found
    for each in answers:
        if isinstance(each, BaseException):
            raise each
        if each.rcode != dns.rcode.NOERROR:
            said = dns.rcode.to_text(each.rcode)
            raise ProbeFailed(Outcome.DNS, f"{host} cannot be resolved: {said} from {each.resolver}")
    raise ProbeFailed(Outcome.DNS, f"{host} has no {_called(family)}address")


def _hold(answer: Answer) -> tuple[str, ...]:
    return answer.records() if answer.rcode == dns.rcode.NOERROR else ()


def _called(family: Family) -> str:
    return "" if family == "any" else f"IPv{family} "


GAI: dict[int, tuple[Outcome, str]] = {
    socket.EAI_NONAME: (Outcome.DNS, "the name does not exist"),
    socket.EAI_AGAIN: (Outcome.DNS, "the resolver failed for now"),
    socket.EAI_FAIL: (Outcome.DNS, "the resolver failed"),
    socket.EAI_NODATA: (Outcome.DNS, "the name has no address"),
    socket.EAI_ADDRFAMILY: (Outcome.DNS, "the name has no address of this family"),
    socket.EAI_FAMILY: (Outcome.INCONCLUSIVE, "this agent lacks this address family"),
    socket.EAI_MEMORY: (Outcome.INCONCLUSIVE, "this agent's machine is out of memory"),
    socket.EAI_SYSTEM: (Outcome.INCONCLUSIVE, "this agent's system failed"),
    socket.EAI_OVERFLOW: (Outcome.DNS, "the answer is too long"),
}
"""What getaddrinfo raises."""


async def _by_system(host: str, family: Family) -> tuple[str, ...]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(
            ascii_host(host), None, family=_SOCKET_FAMILIES[family], type=socket.SOCK_STREAM
        )
    except socket.gaierror as error:
        outcome, said = GAI.get(error.errno or 0, (Outcome.INCONCLUSIVE, str(error)))
        raise ProbeFailed(outcome, f"{host} cannot be resolved: {said}") from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
