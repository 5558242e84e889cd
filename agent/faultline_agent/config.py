"""The agent's own configuration: one YAML file, read once."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from faultline.columns import ID_FORM, ID_WORDS, MAX_ID_LENGTH
from faultline.config import Matching, Settings
from faultline.durations import Duration, format_duration
from faultline.problems import nested
from faultline_agent.policy import Policy, network, port_range
from faultline_agent.probes import PROBES
from faultline_agent.probes.probe import Probe
from faultline_agent.probes.tools.endpoints import Resolvers
from faultline_agent.sizes import Size
from faultline_agent.uplinks import UPLINKS
from faultline_agent.way import Tls, parse_url

LEAST_SPOOL_BYTES = 1024 * 1024
PLAINTEXT = ("grpc", "mqtt")


def _checked_url(text: str) -> str:
    scheme = parse_url(text).scheme
    if scheme not in UPLINKS:
        raise ValueError(f"{text!r} does not begin with one of {', '.join(f'{s}://' for s in UPLINKS)}")
    return text


def _checked_kind(kind: str) -> str:
    if kind not in PROBES:
        raise ValueError(f"{kind!r} is not one of {', '.join(PROBES)}")
    return kind


def _checked_network(text: str) -> str:
    network(text)
    return text


def _checked_port(value: object) -> object:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a port or a range like 8000-8999")
    port_range(value)
    return str(value)


def _at_least(least: timedelta) -> AfterValidator:
    def check(value: timedelta) -> timedelta:
        if value < least:
            raise ValueError(f"{format_duration(value)} is less than {format_duration(least)}")
        return value

    return AfterValidator(check)


def _spool_bytes(value: int) -> int:
    if value < LEAST_SPOOL_BYTES:
        raise ValueError(f"{value} is less than {LEAST_SPOOL_BYTES} (1MiB)")
    return value


class TlsSettings(Settings):
    """Files for TLS towards the collector."""

    authorities: Path | None = Field(
        default=None, description="Who signs the collector's certificate; else the system's list."
    )
    certificate: Path | None = Field(default=None, description="The agent's own certificate.")
    key: Path | None = Field(default=None, description="The key of the agent's own certificate.")

    @model_validator(mode="after")
    def _both(self) -> "TlsSettings":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key come together or not at all")
        return self

    def files(self) -> Tls:
        """The files as the uplink takes them."""
        return Tls(self.authorities, self.certificate, self.key)


class SpoolSettings(Settings):
    """Where results wait until the collector has them."""

    path: Path = Field(default=Path("/var/lib/faultline-agent/spool.db"), description="The SQLite file.")
    max_bytes: Annotated[Size, AfterValidator(_spool_bytes)] = Field(
        default=256 * 1024**2, description="Beyond this the oldest results are dropped and reported."
    )
    max_age: Annotated[Duration, _at_least(timedelta(minutes=1))] = Field(
        default=timedelta(days=7), description="Results older than this are dropped and reported."
    )


class ReferenceTarget(Settings):
    """A probe of any kind whose target is none of the services: it tells of the agent itself."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)
    kind: Annotated[str, AfterValidator(_checked_kind)] = Field(description="Probe kind; the rest is for it.")

    @model_validator(mode="after")
    def _known(self) -> "ReferenceTarget":
        try:
            self.probe()
        except ValidationError as error:
            raise nested(error, PROBES[self.kind]) from None
        return self

    def probe(self) -> Probe:
        """The probe."""
        return PROBES[self.kind].model_validate(self.model_extra or {})


class ReferenceSettings(Settings):
    """What tells a failing target from a failing agent."""

    every: Annotated[Duration, _at_least(timedelta(seconds=1))] = Field(
        default=timedelta(seconds=10), description="Time between two checks."
    )
    targets: tuple[ReferenceTarget, ...] = Field(
        default=(), description="Two or more, of different operators."
    )

    def probes(self) -> dict[str, Probe]:
        """The probes by their names, like `tcp 1.1.1.1:443`; those that look the same are numbered."""
        named: dict[str, Probe] = {}
        for number, target in enumerate(self.targets, 1):
            probe = target.probe()
            name = f"{probe.kind} {probe.subject}"
            named[f"{name} ({number})" if name in named else name] = probe
        return named


class PolicySettings(Settings):
    """What the collector may tell this agent to probe."""

    networks: tuple[Annotated[str, AfterValidator(_checked_network)], ...] = Field(
        default=(),
        description="Ranges allowed besides public ones; private ranges must be named.",
    )
    only_networks: bool = Field(default=False, description="Whether nothing but `networks` is allowed.")
    ports: tuple[Annotated[str, BeforeValidator(_checked_port)], ...] = Field(
        default=(), description="Ports or ranges that are allowed; empty: all."
    )
    kinds: tuple[Annotated[str, AfterValidator(_checked_kind)], ...] = Field(
        default=(), description="Probe kinds that are allowed; empty: all."
    )

    def policy(self) -> Policy:
        """The policy as it is asked."""
        return Policy(
            tuple(network(text) for text in self.networks),
            tuple(port_range(text) for text in self.ports),
            self.kinds,
            self.only_networks,
        )


class AgentConfig(Settings):
    """Everything that one agent is told by its operator."""

    agent: Annotated[str, Matching(f"^{ID_FORM.pattern}$", ID_WORDS)] = Field(
        max_length=MAX_ID_LENGTH, description="The agent's id in the collector's registry."
    )
    collector: Annotated[str, AfterValidator(_checked_url)] = Field(
        description="Where the collector listens for agents, grpcs://host:port, or the broker, mqtts://host:port."
    )
    token_file: Path | None = Field(
        default=None,
        description="File with the agent's token, at a broker its password; else in FAULTLINE_TOKEN.",
    )
    tls: TlsSettings = Field(default=TlsSettings(), description="Files for TLS towards the collector.")
    plaintext_beyond_loopback: bool = Field(
        default=False,
        description="Whether grpc:// or mqtt:// may leave this machine, its token readable.",
    )
    spool: SpoolSettings = Field(
        SpoolSettings(), description="Where results wait until the collector has them."
    )
    resolvers: Resolvers = Field(
        default=(), description="Resolvers that probes use, as address or address:port; empty: the system's."
    )
    references: ReferenceSettings = Field(
        ReferenceSettings(), description="Checks of the agent's own connectivity."
    )
    policy: PolicySettings = Field(
        PolicySettings(), description="What the collector may tell this agent to probe."
    )
    status: Path | None = Field(
        default=None, description="File that `faultline-agent status` reads; beside the spool unless named."
    )

    @model_validator(mode="after")
    def _plaintext_stays(self) -> "AgentConfig":
        url = parse_url(self.collector)
        if url.scheme in PLAINTEXT and not url.is_loopback and not self.plaintext_beyond_loopback:
            raise ValueError(
                f"collector: {self.collector!r} would carry the token unencrypted beyond this machine; "
                f"use {url.scheme}s:// or set plaintext_beyond_loopback: true"
            )
        return self

    @property
    def needs_token(self) -> bool:
        """Whether nothing else says who the agent is; a broker takes its certificate for that."""
        return not (self.collector.startswith("mqtts:") and self.tls.certificate is not None)

    @property
    def status_path(self) -> Path:
        """Where the status is written."""
        return self.status or self.spool.path.with_name(self.spool.path.name + ".status.json")
