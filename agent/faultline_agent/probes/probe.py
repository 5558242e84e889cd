"""What a probe is: settings that can be run against a target and give a finding."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol

import pycurl

from faultline.config import Settings
from faultline.outcomes import Outcome


class Finding(NamedTuple):  # one a probe: a frozen dataclass takes four times as long to make
    """What one attempt found: an outcome, one sentence, and how long each phase that was reached took.

    `timings_us` always has "total"; phases that were not reached are absent. `status` is the protocol's own
    (HTTP status, DNS rcode), 0 where not reached; `family` 4 or 6, 0 where no address was reached.
    """

    outcome: Outcome
    detail: str = ""
    status: int = 0
    family: int = 0
    timings_us: Mapping[str, int] = MappingProxyType({})


class ProbeFailed(Exception):
    """Raised when a phase ends a probe; becomes its finding's outcome and sentence."""

    def __init__(self, outcome: Outcome, sentence: str) -> None:
        super().__init__(sentence)
        self.outcome = outcome
        self.sentence = sentence


class Story(Protocol):
    """Takes the steps of a probe that is run by hand."""

    def tell(self, step: str, **facts: Any) -> None:
        """Notes one step with its facts."""


class Engine(Protocol):
    """What HTTP transfers share: one loop of libcurl's and its handles."""

    def borrow(self) -> pycurl.Curl:
        """Gives a handle as new; `give_back` ends the loan, also where nothing was performed."""

    def perform(self, handle: pycurl.Curl) -> Awaitable[None]:
        """Starts the handle's transfer; awaited, it raises pycurl.error."""

    def give_back(self, handle: pycurl.Curl, *, as_lent: bool) -> None:
        """Ends the transfer and forgets all about it.

        `as_lent`: the transfer was good, and nothing was set but what all who borrow it set: URL, TIMEOUT_MS,
        WRITEFUNCTION. That spares setting the handle up anew.
        """


class Tools(Protocol):
    """What probes share within one agent."""

    @property
    def resolvers(self) -> tuple[str, ...]:
        """Resolvers that the agent names, as address or address:port; empty: the system's."""

    @property
    def story(self) -> Story | None:
        """Where steps are told, None on ordinary runs."""

    @property
    def engine(self) -> Engine:
        """What HTTP probes run on."""

    def refusal(self, address: str, port: int) -> str:
        """Why the agent's policy forbids to connect there, in a sentence; empty when it may.

        Asked for every address that a name resolved to, before it is connected to; a refused one makes the
        finding INCONCLUSIVE with this sentence.
        """


class Probe(Settings, ABC):
    """A probe kind: its fields are its configuration (each with a description), `run` is what it does."""

    kind: ClassVar[str]
    timings: ClassVar[tuple[str, ...]]
    """Names of the timings it may give, "total" among them."""
    target_form: ClassVar[str]
    """What stands for the target on the command line: `URL`, `HOST:PORT`, `NAME`."""

    def endpoints(self) -> tuple[tuple[str, int], ...]:
        """Hosts (names or addresses) and ports that the settings name; the policy looks at them first."""
        return ()

    @property
    @abstractmethod
    def subject(self) -> str:
        """What it probes, as people say it, and nothing that may be secret."""

    @property
    def shows_certificate(self) -> bool:
        """Whether what it connects to speaks TLS at once."""
        return False

    @classmethod
    @abstractmethod
    def read_target(cls, text: str) -> dict[str, object]:
        """The settings that a target on the command line stands for; raises ValueError with a sentence."""

    @abstractmethod
    async def run(self, tools: Tools, timeout_s: float) -> Finding:
        """Makes one attempt within `timeout_s`; a failure is a finding, never an exception."""
