"""The outbox: notices on their way, in the registry's database, kept with the outages that they tell of."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Engine, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from faultline_collector.fleet import Fleet
from faultline_collector.notify.document import Notice, late_notice, notices_of
from faultline_collector.notify.fate import Fate, Next, first_fate
from faultline_collector.notify.routes import Extent, Mute, receivers_of
from faultline_collector.notify.settings import NotifySettings
from faultline_collector.notify.tables import DeliveryRow, MuteRow
from faultline_collector.outages import Outage
from faultline_collector.registry.database import as_registry_error, writing
from faultline_collector.registry.tables import OutageRow, Table

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
        notices, late = notices_of(before, after, fleet), late_notice(before, after, fleet)
        for notice in notices:
            told = _told(session, notice)
            wanted = told if notice.kind.is_end else told | _wanted(notice, settings)
            self._put_all(session, notice, wanted, settings, now_us)
        if late is not None:
            _redraw_held(session, late)
            wanted = _wanted(late, settings) - _told(session, late)
            self._put_all(session, late, wanted, settings, now_us)
        if notices or late is not None:
            self._bound(session, settings.most_waiting, now_us)

    def _put_all(
        self, session: Session, notice: Notice, wanted: set[str], settings: NotifySettings, now_us: int
    ) -> None:
        if not wanted:
            return
        mutes = (*settings.mute_list(), *_mutes(session))
        muted = _is_muted(notice, mutes, now_us)
        for receiver in settings.receiver_ids():
            if receiver in wanted:
                self._put(session, notice, receiver, muted=muted, now_us=now_us)

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
            self._end(row, Fate.DROPPED, f"more than {most} were waiting", now_us)

    def _end(self, row: DeliveryRow, fate: Fate, said: str, now_us: int) -> None:
        row.fate, row.due_us, row.ended_us, row.said = fate.value, None, now_us, said
        self._counted(row.receiver, fate)

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
            rows = session.scalars(wanted).all()
            found = tuple(_deliveries(rows))
        if len(found) < len(rows):
            self._give_up({row.position for row in rows} - {one.position for one in found}, now_us)
        return found

    def _give_up(self, positions: Iterable[int], now_us: int) -> None:
        """What cannot be read must neither be tried for ever nor hold up what comes after it."""
        with self._write() as session:
            for row in session.scalars(select(DeliveryRow).where(DeliveryRow.position.in_(positions))):
                self._end(
                    row, Fate.FAILED, "another version has written it, which this one cannot read", now_us
                )

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
            if not _free(session, settings, now_us):
                return 0
        with self._write() as session:
            free = _free(session, settings, now_us)
            for row in free:
                row.fate, row.due_us, row.made_us = Fate.WAITING.value, now_us, now_us
        return len(free)

    def sweep(self, settings: NotifySettings, now_us: int) -> None:
        """Forgets what ended long ago, and gives up what waits for a receiver that is no more.

        What was told of an outage that goes on is kept: its end goes to those who were told.
        """
        gone = and_(DeliveryRow.receiver.not_in(settings.receiver_ids()), DeliveryRow.due_us.is_not(None))
        going_on = select(OutageRow.id).where(OutageRow.resolved_us.is_(None))
        keep_us = round(settings.keep.total_seconds() * 1e6)
        with self._write() as session:
            for row in session.scalars(select(DeliveryRow).where(gone, _is(Fate.WAITING))):
                self._end(row, Fate.FAILED, "there is no such receiver any more", now_us)
            session.execute(update(DeliveryRow).where(gone).values(due_us=None))
            old = and_(DeliveryRow.ended_us < now_us - keep_us, DeliveryRow.due_us.is_(None))
            session.execute(delete(DeliveryRow).where(old, DeliveryRow.outage.not_in(going_on)))
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
            return tuple(_deliveries(session.scalars(wanted)))

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


def _told(session: Session, notice: Notice) -> set[str]:
    """Who was told of the outage, or would have been."""
    return set(session.scalars(select(DeliveryRow.receiver).where(_of(notice)).distinct()))


def _wanted(notice: Notice, settings: NotifySettings) -> set[str]:
    return set(receivers_of(notice, settings.route_list(), settings.receiver_ids()))


def _redraw_held(session: Session, now: Notice) -> None:
    """What is held back tells of the outage as it is now, for a mute may not cover that."""
    for row in session.scalars(select(DeliveryRow).where(_of(now), _is(Fate.HELD))):
        if (notice := _notice(row)) is not None:
            changed = {"outage": now.outage, "services": now.services}
            row.body = notice.model_copy(update=changed).body().decode()


def _fates(session: Session, notice: Notice, receiver: str) -> set[Fate]:
    fates = select(DeliveryRow.fate).where(_of(notice), DeliveryRow.receiver == receiver)
    return {Fate(fate) for fate in session.scalars(fates)}


def _free(session: Session, settings: NotifySettings, now_us: int) -> list[DeliveryRow]:
    """What is held though no mute holds it back any more."""
    mutes = (*settings.mute_list(), *_mutes(session))
    held = session.scalars(select(DeliveryRow).where(_is(Fate.HELD)).order_by(DeliveryRow.position))
    return [row for row in held if not _is_muted(_notice(row), mutes, now_us)]


def _is_muted(notice: Notice | None, mutes: Iterable[Mute], now_us: int) -> bool:
    return notice is not None and any(mute.mutes(notice, now_us) for mute in mutes)


def _mutes(session: Session) -> tuple[Mute, ...]:
    return tuple(_mute(row) for row in session.scalars(select(MuteRow).order_by(MuteRow.id)))


def _mute(row: MuteRow) -> Mute:
    extent = Extent(frozenset(row.scopes), frozenset(row.services), frozenset(row.regions))
    return Mute(extent, row.since_us, row.until_us, row.reason, row.id)


def _notice(row: DeliveryRow) -> Notice | None:
    """The notice of a row; None where another version has written it in a form of its own."""
    try:
        return Notice.model_validate_json(row.body)
    except ValidationError:
        return None


def _deliveries(rows: Iterable[DeliveryRow]) -> Iterator[Delivery]:
    """The rows that can be read."""
    for row in rows:
        if (notice := _notice(row)) is not None:
            yield Delivery(
                position=row.position,
                receiver=row.receiver,
                notice=notice,
                made_us=row.made_us,
                fate=Fate(row.fate),
                tries=row.tries,
                due_us=row.due_us,
                ended_us=row.ended_us,
                said=row.said,
            )
