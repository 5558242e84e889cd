"""The probe kind `dns`: asks resolvers for the addresses of a name."""

from typing import Annotated, ClassVar, Literal

import dns.rcode
import dns.rdatatype
from pydantic import AfterValidator, Field, field_validator

from faultline.outcomes import Outcome
from faultline_agent.probes.probe import Finding, Probe, Tools
from faultline_agent.probes.tools import sockets
from faultline_agent.probes.tools.endpoints import Endpoint, Resolvers, family_of, literal, resolver_endpoints
from faultline_agent.probes.tools.resolve import Answer, ask, parse_name, system_resolvers
from faultline_agent.probes.tools.stopwatch import Stopwatch, attempt

Rcode = Literal["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"]
"""Answer codes that a probe may expect."""


def _address(text: str) -> str:
    if (address := literal(text)) is None:
        raise ValueError(f"{text!r} is not an address")
    return address


Address = Annotated[
    str,
    AfterValidator(_address),
    Field(
        json_schema_extra={
            "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}],
            "errorMessage": "is not an address",
        }
    ),
]


class DnsProbe(Probe):
    """Asks for A or AAAA records over UDP, over TCP when the answer is truncated."""

    kind: ClassVar[str] = "dns"
    timings: ClassVar[tuple[str, ...]] = ("dns", "total")
    target_form: ClassVar[str] = "NAME"

    name: str = Field(min_length=1, max_length=255, description="Name to ask for.")
    type: Literal["A", "AAAA"] = Field(default="A", description='Record type: "A" or "AAAA".')
    resolvers: Resolvers = Field(
        default=(), description="Resolvers to ask, as address or address:port; none: the agent's own."
    )
    rcode: Rcode = Field(default="NOERROR", description="Answer code that is expected.")
    answers: tuple[Address, ...] = Field(
        default=(), max_length=64, description="Addresses that are expected."
    )
    answers_match: Literal["any", "all"] = Field(
        default="any", description='Whether "any" or "all" of the expected addresses must be answered.'
    )

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        parse_name(name)
        return name

    @classmethod
    def read_target(cls, text: str) -> dict[str, object]:
        """A name."""
        return {"name": text}

    @property
    def subject(self) -> str:
        """Name, type and who is asked."""
        at = f" at {', '.join(self.resolvers)}" if self.resolvers else ""
        return f"{self.name} {self.type}{at}"

    def endpoints(self) -> tuple[tuple[str, int], ...]:
        """The resolvers that the settings name."""
        return tuple(resolver_endpoints(self.resolvers))

    async def run(self, tools: Tools, timeout_s: float) -> Finding:
        """One question, asked again or elsewhere while nobody answers."""
        watch = Stopwatch(timeout_s)
        return await attempt(watch, self._steps(tools, watch))

    async def _steps(self, tools: Tools, watch: Stopwatch) -> Finding:
        resolvers = self._resolvers(tools)
        with watch.timing("dns"):
            answer = await ask(resolvers, parse_name(self.name), dns.rdatatype.from_text(self.type))
        watch.family = family_of(answer.resolver.host)
        records = answer.records()
        if tools.story:
            _tell(tools, answer, records)
        outcome, detail = self._judge(answer, records)
        return watch.finding(outcome, detail, int(answer.rcode))

    def _resolvers(self, tools: Tools) -> tuple[Endpoint, ...]:
        for endpoint in resolver_endpoints(self.resolvers):
            sockets.check_policy(tools, *endpoint)
        return tuple(resolver_endpoints(self.resolvers or tools.resolvers or system_resolvers()))

    def _judge(self, answer: Answer, records: tuple[str, ...]) -> tuple[Outcome, str]:
        rcode = dns.rcode.to_text(answer.rcode)
        if rcode != self.rcode:
            return Outcome.DNS, f"{self.name}: {rcode} from {answer.resolver}, expected {self.rcode}"
        if rcode == "NOERROR" and not records:
            return Outcome.DNS, f"{self.name} has no {self.type} record at {answer.resolver}"
        missing = [address for address in self.answers if address not in records]
        if missing and (self.answers_match == "all" or len(missing) == len(self.answers)):
            return (
                Outcome.CONTENT,
                f"{self.name}: {_listed(missing)} not among the answers {_listed(records)}",
            )
        return Outcome.OK, ""


def _listed(addresses: tuple[str, ...] | list[str]) -> str:
    return ", ".join(sorted(addresses)[:5])


def _tell(tools: Tools, answer: Answer, records: tuple[str, ...]) -> None:
    assert tools.story is not None
    tools.story.tell(
        "answered",
        by=str(answer.resolver),
        over="tcp" if answer.over_tcp else "udp",
        rcode=dns.rcode.to_text(answer.rcode),
        records=list(records),
    )
