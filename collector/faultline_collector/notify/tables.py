"""The outbox's tables, in the registry: a notice is kept in the transaction that keeps its outage."""

from sqlalchemy import BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from faultline.columns import MAX_ID_LENGTH
from faultline_collector.registry.tables import Table

Id = String(MAX_ID_LENGTH)
Count = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only what is its row id


class DeliveryRow(Table):
    """One notice for one receiver; `due_us` is when it is tried or repeated, None: never."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("deliveries_due", "receiver", "due_us"),
        Index("deliveries_outage", "outage", "receiver"),
        Index("deliveries_fate", "fate", "position"),
    )

    position: Mapped[int] = mapped_column(Count, primary_key=True, autoincrement=True)
    notice: Mapped[str] = mapped_column(Id)
    outage: Mapped[str] = mapped_column(Id)
    receiver: Mapped[str] = mapped_column(Id)
    kind: Mapped[str]
    body: Mapped[str]
    made_us: Mapped[int]
    fate: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0)
    due_us: Mapped[int | None]
    ended_us: Mapped[int | None]
    said: Mapped[str] = mapped_column(default="")


class MuteRow(Table):
    """A maintenance window that somebody has declared."""

    __tablename__ = "mutes"

    id: Mapped[int] = mapped_column(Count, primary_key=True, autoincrement=True)
    scopes: Mapped[list[str]]
    services: Mapped[list[str]]
    regions: Mapped[list[str]]
    since_us: Mapped[int]
    until_us: Mapped[int | None]
    reason: Mapped[str]
