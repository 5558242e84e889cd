"""The registry: agents and their tokens, what is probed, and every outage with its life."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from faultline_collector.config import CollectorConfig
from faultline_collector.config_checks import id_problem
from faultline_collector.fleet import Fleet
from faultline_collector.inquiry.orders import Proof
from faultline_collector.outages import Outage, Scope, State
from faultline_collector.presence import Sighting
from faultline_collector.registry import rows
from faultline_collector.registry.database import RegistryError, as_registry_error, open_engine, writing
from faultline_collector.registry.proofs import add_proofs, read_proofs
from faultline_collector.registry.tables import (
    AgentRow,
    ComponentRow,
    NetworkRow,
    OutageRow,
    ProviderRow,
    RegionRow,
    ServiceRow,
    TargetRow,
    TransitionRow,
)

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of an outage's state or scope."""

    at_us: int
    state: State
    scope: Scope


Step = Callable[[Session, Outage | None, Outage], None]
"""Takes part in the transaction that keeps an outage: as it was kept before, if it was, and as it is now."""


class Registry:
    """Blocking calls, safe from any thread and beside other processes; raises RegistryError.

    `steps` are called for each outage that is kept, within the same transaction.
    """

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self.steps: list[Step] = []
        self._writes = writing(self.engine)

    def apply(self, config: CollectorConfig) -> None:
        """Makes regions, networks, services and targets what the configuration says; agents stay."""
        wanted = config.fleet()
        with self._write() as session:
            _refuse_to_strand(session, wanted)
            for row in rows.place_rows(wanted):
                session.merge(row)
            for table in (TargetRow, ComponentRow, ServiceRow, ProviderRow):
                session.execute(delete(table))
            for group in rows.probed_rows(wanted):
                session.add_all(group)
                session.flush()
            session.execute(delete(RegionRow).where(RegionRow.id.not_in([r.id for r in wanted.regions])))
            session.execute(delete(NetworkRow).where(NetworkRow.asn.not_in([n.asn for n in wanted.networks])))

    def fleet(self) -> Fleet:
        """Everything that is known of agents and targets now."""
        with self._read() as session:
            return rows.read_fleet(session)

    def add_agent(self, agent_id: str, *, region: str, asn: int, site: str = "") -> str:
        """Adds an agent and gives its token, which is shown this once and kept only as a hash."""
        if said := id_problem(agent_id):
            raise RegistryError(said)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        with self._write() as session:
            if session.get(AgentRow, agent_id) is not None:
                raise RegistryError(f"there is already an agent {agent_id!r}")
            if session.get(RegionRow, region) is None:
                raise RegistryError(f"{region!r} is not among the regions")
            if session.get(NetworkRow, asn) is None:
                raise RegistryError(f"{asn} is not among the networks")
            session.add(AgentRow(id=agent_id, region=region, asn=asn, site=site, token_sha256=_hash(token)))
        return token

    def remove_agent(self, agent_id: str) -> None:
        """Forgets an agent; its token no longer opens anything, its results stay."""
        with self._write() as session:
            row = session.get(AgentRow, agent_id)
            if row is None:
                raise RegistryError(f"there is no agent {agent_id!r}")
            session.delete(row)

    def authenticate(self, token: str) -> str | None:
        """The agent that a token belongs to; looked up by its hash, so timing tells nothing of the token."""
        with self._read() as session:
            return session.scalar(select(AgentRow.id).where(AgentRow.token_sha256 == _hash(token)))

    def note_agents(self, sightings: Iterable[Sighting]) -> None:
        """Keeps what agents said of themselves last; unknown ones are ignored."""
        with self._write() as session:
            for seen in sightings:
                told = {
                    "version": seen.version,
                    "ca_bundle": seen.ca_bundle,
                    "last_seen_us": seen.last_seen_us,
                }
                session.execute(update(AgentRow).where(AgentRow.id == seen.agent_id).values(**told))

    def sightings(self) -> tuple[Sighting, ...]:
        """What agents said of themselves last, of those that were ever heard."""
        with self._read() as session:
            heard = session.scalars(select(AgentRow).where(AgentRow.last_seen_us > 0).order_by(AgentRow.id))
            return tuple(Sighting(a.id, a.last_seen_us, a.version, a.ca_bundle) for a in heard)

    def save_outages(self, outages: Iterable[Outage]) -> None:
        """Keeps outages in their present state, with a transition where state or scope changed."""
        with self._write() as session:
            for outage in outages:
                self._save(session, outage)

    def outages(self, *, open_only: bool = False, since_us: int = 0, limit: int = 100) -> tuple[Outage, ...]:
        """Outages, those detected last first; `since_us` leaves out what ended before it."""
        wanted = select(OutageRow).order_by(OutageRow.detected_us.desc(), OutageRow.id).limit(limit)
        open_states = [state.value for state in State if state.is_open]
        if open_only:
            wanted = wanted.where(OutageRow.state.in_(open_states))
        if since_us:
            wanted = wanted.where(or_(OutageRow.resolved_us.is_(None), OutageRow.resolved_us >= since_us))
        with self._read() as session:
            return tuple(rows.outage_of(row) for row in session.scalars(wanted))

    def outage(self, outage_id: str) -> tuple[Outage, tuple[Transition, ...]] | None:
        """One outage and its life, or None."""
        with self._read() as session:
            row = session.get(OutageRow, outage_id)
            if row is None:
                return None
            life = session.scalars(
                select(TransitionRow)
                .where(TransitionRow.outage == outage_id)
                .order_by(TransitionRow.position)
            )
            return rows.outage_of(row), tuple(
                Transition(step.at_us, State(step.state), Scope(step.scope)) for step in life
            )

    def save_proofs(self, proofs: Sequence[Proof]) -> int:
        """Keeps proof of outages that are known, a bounded number of each; says how many pieces."""
        with self._write() as session:
            return add_proofs(session, proofs)

    def proofs(self, outage_id: str) -> tuple[Proof, ...]:
        """All proof of an outage, in the order in which it came."""
        with self._read() as session:
            return read_proofs(session, outage_id)

    def _save(self, session: Session, outage: Outage) -> None:
        row = session.get(OutageRow, outage.id)
        before = None if row is None else rows.outage_of(row)
        session.merge(rows.outage_row(outage))
        session.flush()
        _note_transition(session, before, outage)
        for step in self.steps:
            step(session, before, outage)

    def close(self) -> None:
        """Releases the database; safe twice."""
        self.engine.dispose()

    @contextmanager
    def _read(self) -> Iterator[Session]:
        with as_registry_error(), Session(self.engine) as session:
            yield session

    @contextmanager
    def _write(self) -> Iterator[Session]:
        with as_registry_error(), Session(self._writes) as session, session.begin():
            yield session


def _refuse_to_strand(session: Session, wanted: Fleet) -> None:
    """Raises RegistryError when an agent would stand in a region or network that is no longer there."""
    regions = {region.id for region in wanted.regions}
    asns = {network.asn for network in wanted.networks}
    for agent in session.scalars(select(AgentRow).order_by(AgentRow.id)):
        if agent.region not in regions:
            raise RegistryError(f"region {agent.region!r} cannot go while agent {agent.id!r} stands in it")
        if agent.asn not in asns:
            raise RegistryError(f"network {agent.asn} cannot go while agent {agent.id!r} stands in it")


def _note_transition(session: Session, before: Outage | None, outage: Outage) -> None:
    if before is not None and (before.state, before.scope) == (outage.state, outage.scope):
        return
    steps = select(func.count()).select_from(TransitionRow).where(TransitionRow.outage == outage.id)
    session.add(
        TransitionRow(
            outage=outage.id,
            position=session.scalar(steps) or 0,
            at_us=outage.changed_us or outage.detected_us,
            state=outage.state.value,
            scope=outage.scope.value,
        )
    )


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
