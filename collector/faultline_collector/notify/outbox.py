"""The outbox: notices on their way, in the registry's database, kept with the outages that they tell of."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from faultline_collector.fleet import Fleet
from faultline_collector.notify.document import Notice, notices_of
from faultline_collector.notify.fate import Fate, Next, first_fate
from faultline_collector.notify.routes import Extent, Mute, receivers_of
from faultline_collector.notify.settings import NotifySettings
from faultline_collector.notify.tables import DeliveryRow, MuteRow
from faultline_collector.outages import Outage
from faultline_collector.registry.database import as_registry_error, writing
from faultline_collector.registry.tables import Table

Counted = Callable[[str, Fate], None]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notice for one receiver, and how it goes; times in microseconds since 1970."""

    position: int
    receiver: str
    notice: Notice
    made_us: int
    fate: Fate
    tries: int = 0
    due_us: int | None = None
    ended_us: int | None = None
    said: str = ""


class Outbox:
    """Blocking calls, safe from any thread and beside other processes; raises RegistryError.

    `counted` is told of every delivery that reaches a fate, with its receiver.
    """

    def __init__(self, engine: Engine, counted: Counted = lambda receiver, fate: None) -> None:
        self._engine = engine
        self._writes = writing(engine)
        self._counted = counted
        with as_registry_error(), self._writes.begin() as connection:
            Table.metadata.create_all(connection)

    # -- in -------------------------------------------------------------------------------------------------

    def take(
        self,
        session: Session,
        before: Outage | None,
        after: Outage,
        *,
        fleet: Fleet,
        settings: NotifySettings,
        now_us: int,
    ) -> None:
        """Puts in the notices of one step of an outage, within the transaction that keeps the step."""
        notices = notices_of(before, after, fleet)
        if not notices:
            return
        mutes = (*settings.mute_list(), *_mutes(session))
        for notice in notices:
            known = settings.receiver_ids()
            told = set(session.scalars(select(DeliveryRow.receiver).where(_of(notice)).distinct()))
            wanted = {*receivers_of(notice, settings.route_list(), known), *told}
            muted = any(mute.mutes(notice, now_us) for mute in mutes)
            for receiver in known:
                if receiver in wanted:
                    self._put(session, notice, receiver, muted=muted, now_us=now_us)
        self._bound(session, settings.most_waiting, now_us)

    def _put(self, session: Session, notice: Notice, receiver: str, *, muted: bool, now_us: int) -> None:
        before = _fates(session, notice, receiver)
        held = Fate.HELD in before
        told = bool(before & {Fate.WAITING, Fate.SENT, Fate.FAILED})
        fate = first_fate(notice.kind, muted=muted, held=held, told=told)
        if held and notice.kind.is_end:
            self._end_held(session, notice, receiver, now_us)
        session.add(
            DeliveryRow(
                notice=notice.id,
                outage=notice.outage.id,
                receiver=receiver,
                kind=notice.kind.value,
                body=notice.body().decode(),
                made_us=now_us,
                fate=fate.value,
                tries=0,
                due_us=now_us if fate is Fate.WAITING else None,
                ended_us=now_us if fate.is_final else None,
                said="",
            )
        )
        session.flush()
        if fate.is_final:
            self._counted(receiver, fate)

    def _end_held(self, session: Session, notice: Notice, receiver: str, now_us: int) -> None:
        """What was held back and is over by now is told to nobody."""
        held = and_(_of(notice), DeliveryRow.receiver == receiver, _is(Fate.HELD))
        for _ in session.scalars(select(DeliveryRow.position).where(held)):
            self._counted(receiver, Fate.MUTED)
        session.execute(update(DeliveryRow).where(held).values(fate=Fate.MUTED.value, ended_us=now_us))

    def _bound(self, session: Session, most: int, now_us: int) -> None:
        """Drops the oldest of what waits beyond `most`."""
        open_fates = or_(_is(Fate.WAITING), _is(Fate.HELD))
        over = (session.scalar(select(func.count()).select_from(DeliveryRow).where(open_fates)) or 0) - most
        if over <= 0:
            return
        oldest = select(DeliveryRow).where(open_fates).order_by(DeliveryRow.position).limit(over)
        for row in session.scalars(oldest):
            row.fate, row.due_us, row.ended_us = Fate.DROPPED.value, None, now_us
            row.said = f"more than {most} were waiting"
            self._counted(row.receiver, Fate.DROPPED)

    # -- out ------------------------------------------------------------------------------------------------

    def due(self, receiver: str, now_us: int, most: int, besides: Iterable[str] = ()) -> tuple[Delivery, ...]:
        """What is to be tried or repeated now, oldest first; one an outage, none of the outages `besides`.

        What waits goes in its order, and what was sent is not repeated while something newer waits.
        """
        earlier = aliased(DeliveryRow)
        blocked = (
            select(earlier.position)
            .where(
                earlier.outage == DeliveryRow.outage,
                earlier.receiver == DeliveryRow.receiver,
                earlier.fate == Fate.WAITING.value,
                or_(earlier.position < DeliveryRow.position, _is(Fate.SENT)),
            )
            .exists()
        )
        wanted = (
            select(DeliveryRow)
            .where(
                DeliveryRow.receiver == receiver,
                DeliveryRow.due_us <= now_us,
                DeliveryRow.outage.not_in(list(besides)),
                ~blocked,
            )
            .order_by(_is(Fate.SENT), DeliveryRow.position)
            .limit(most)
        )
        with self._read() as session:
            return tuple(_delivery(row) for row in session.scalars(wanted))

    def mark(self, delivery: Delivery, found: Next, now_us: int) -> None:
        """Keeps what a try has led to; what is sent ends the repeats of what was sent before it."""
        with self._write() as session:
            row = session.get(DeliveryRow, delivery.position)
            if row is None or row.fate not in (Fate.WAITING, Fate.SENT):
                return
            first = row.fate == Fate.WAITING.value
            row.tries += 1
            row.due_us, row.said = found.due_us, found.said
            if first:
                row.fate = found.fate.value
            if first and found.fate.is_final:
                row.ended_us = now_us
                self._counted(row.receiver, found.fate)
                self._end_repeats(session, row)

    def _end_repeats(self, session: Session, row: DeliveryRow) -> None:
        before = and_(
            DeliveryRow.outage == row.outage,
            DeliveryRow.receiver == row.receiver,
            DeliveryRow.position < row.position,
            _is(Fate.SENT),
        )
        session.execute(update(DeliveryRow).where(before).values(due_us=None))

    # -- mutes, lists, and what is over -------------------------------------------------------------

    def release(self, settings: NotifySettings, now_us: int) -> int:
        """Lets go what no mute holds back any more; gives how many."""
        with self._read() as session:
            if session.scalar(select(DeliveryRow.position).where(_is(Fate.HELD)).limit(1)) is None:
                return 0
        with self._write() as session:
            mutes = (*settings.mute_list(), *_mutes(session))
            held = session.scalars(select(DeliveryRow).where(_is(Fate.HELD)).order_by(DeliveryRow.position))
            free = [r for r in held if not any(m.mutes(_notice(r), now_us) for m in mutes)]
            for row in free:
                row.fate, row.due_us, row.made_us = Fate.WAITING.value, now_us, now_us
        return len(free)

    def sweep(self, settings: NotifySettings, now_us: int) -> None:
        """Forgets what ended long ago, and gives up what waits for a receiver that is no more."""
        gone = and_(_is(Fate.WAITING), DeliveryRow.receiver.not_in(settings.receiver_ids()))
        keep_us = round(settings.keep.total_seconds() * 1e6)
        with self._write() as session:
            for row in session.scalars(select(DeliveryRow).where(gone)):
                row.fate, row.due_us, row.ended_us = Fate.FAILED.value, None, now_us
                row.said = "there is no such receiver any more"
                self._counted(row.receiver, Fate.FAILED)
            old = and_(DeliveryRow.ended_us < now_us - keep_us, DeliveryRow.due_us.is_(None))
            session.execute(delete(DeliveryRow).where(old))
            session.execute(delete(MuteRow).where(MuteRow.until_us < now_us - keep_us))

    def waiting(self) -> Mapping[str, tuple[int, int]]:
        """By receiver: how many wait or are held, and when the oldest of them was made."""
        open_fates = or_(_is(Fate.WAITING), _is(Fate.HELD))
        counted = (
            select(DeliveryRow.receiver, func.count(), func.min(DeliveryRow.made_us))
            .where(open_fates)
            .group_by(DeliveryRow.receiver)
        )
        with self._read() as session:
            return {receiver: (many, oldest) for receiver, many, oldest in session.execute(counted)}

    def deliveries(
        self, *, fate: Fate | None = None, outage: str = "", limit: int = 100
    ) -> tuple[Delivery, ...]:
        """Deliveries, newest first."""
        wanted = select(DeliveryRow).order_by(DeliveryRow.position.desc()).limit(limit)
        if fate is not None:
            wanted = wanted.where(_is(fate))
        if outage:
            wanted = wanted.where(DeliveryRow.outage == outage)
        with self._read() as session:
            return tuple(_delivery(row) for row in session.scalars(wanted))

    def mutes(self) -> tuple[Mute, ...]:
        """The windows that somebody has declared, by id."""
        with self._read() as session:
            return _mutes(session)

    def add_mute(self, mute: Mute) -> int:
        """Declares a window; gives its id."""
        row = MuteRow(
            scopes=sorted(mute.extent.scopes),
            services=sorted(mute.extent.services),
            regions=sorted(mute.extent.regions),
            since_us=mute.since_us,
            until_us=mute.until_us,
            reason=mute.reason,
        )
        with self._write() as session:
            session.add(row)
            session.flush()
            return row.id

    def end_mute(self, mute_id: int, now_us: int) -> bool:
        """Closes a window now; whether there was one that is not closed yet."""
        is_open = or_(MuteRow.until_us.is_(None), MuteRow.until_us > now_us)
        ended = update(MuteRow).where(MuteRow.id == mute_id, is_open).values(until_us=now_us)
        with self._write() as session:
            return bool(session.execute(ended).rowcount)  # type: ignore[attr-defined]

    @contextmanager
    def _read(self) -> Iterator[Session]:
        with as_registry_error(), Session(self._engine) as session:
            yield session

    @contextmanager
    def _write(self) -> Iterator[Session]:
        with as_registry_error(), Session(self._writes) as session, session.begin():
            yield session


def _is(fate: Fate) -> ColumnElement[bool]:
    return DeliveryRow.fate == fate.value


def _of(notice: Notice) -> ColumnElement[bool]:
    return DeliveryRow.outage == notice.outage.id


def _fates(session: Session, notice: Notice, receiver: str) -> set[Fate]:
    fates = select(DeliveryRow.fate).where(_of(notice), DeliveryRow.receiver == receiver)
    return {Fate(fate) for fate in session.scalars(fates)}


def _mutes(session: Session) -> tuple[Mute, ...]:
    return tuple(_mute(row) for row in session.scalars(select(MuteRow).order_by(MuteRow.id)))


def _mute(row: MuteRow) -> Mute:
    extent = Extent(frozenset(row.scopes), frozenset(row.services), frozenset(row.regions))
    return Mute(extent, row.since_us, row.until_us, row.reason, row.id)


def _notice(row: DeliveryRow) -> Notice:
    return Notice.model_validate_json(row.body)


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        position=row.position,
        receiver=row.receiver,
        notice=_notice(row),
        made_us=row.made_us,
        fate=Fate(row.fate),
        tries=row.tries,
        due_us=row.due_us,
        ended_us=row.ended_us,
        said=row.said,
    )
