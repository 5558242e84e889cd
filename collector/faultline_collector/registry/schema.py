"""Which form the registry's tables have: kept in the database, so that no program misreads another's.

A table that is new needs nothing. Whoever changes a table that there already is adds the step to `STEPS`.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, delete, insert, inspect, select, text

from faultline_collector.registry.tables import AgentRow, SchemaRow, Table

Step = Callable[[Connection], None]


def _add_ca_bundle(connection: Connection) -> None:
    """Which authorities an agent trusts."""
    connection.execute(text("ALTER TABLE agents ADD COLUMN ca_bundle VARCHAR NOT NULL DEFAULT ''"))


def _add_family(connection: Connection) -> None:
    """Which address family alone an outage hits."""
    connection.execute(text("ALTER TABLE outages ADD COLUMN family BIGINT NOT NULL DEFAULT 0"))


STEPS: tuple[Step, ...] = (_add_ca_bundle, _add_family)
"""Each brings the tables from one version to the next; the first begins at version 1."""


class NewerSchema(Exception):
    """Raised when the tables were written by a later version; nothing was changed."""


def prepare(connection: Connection, steps: Sequence[Step] = STEPS) -> None:
    """Makes the tables what this version knows, within the caller's transaction; raises NewerSchema."""
    known = 1 + len(steps)
    found = _version(connection, known)
    if found > known:
        raise NewerSchema(f"it is of version {found}, and this collector knows none beyond {known}")
    for step in steps[found - 1 :]:
        step(connection)
    Table.metadata.create_all(connection)
    if connection.scalar(select(SchemaRow.version)) != known:
        connection.execute(delete(SchemaRow))
        connection.execute(insert(SchemaRow).values(version=known))


def _version(connection: Connection, known: int) -> int:
    """The version of the tables: 1 where none was noted yet, `known` where there are no tables."""
    tables = inspect(connection).get_table_names()
    if SchemaRow.__tablename__ in tables:
        return connection.scalars(select(SchemaRow.version)).one()
    return 1 if AgentRow.__tablename__ in tables else known
