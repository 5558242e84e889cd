"""The version of the registry's tables: what is newer is refused, what is older is brought up."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect, select, text, update

from faultline_collector.registry.database import RegistryError, open_engine, writing
from faultline_collector.registry.registry import Registry
from faultline_collector.registry.schema import STEPS, prepare
from faultline_collector.registry.tables import SchemaRow
from tests.collector.registry.test_outages import OUTAGE


@pytest.fixture
def kept(tmp_path: Path) -> str:
    """The URL of a registry that this version has written."""
    url = f"sqlite:///{tmp_path}/registry.db"
    Registry(url).close()
    return url


def change(url: str, how: Callable[[Connection], object]) -> None:
    """Changes the tables as another version would."""
    engine = create_engine(url)
    with engine.begin() as connection:
        how(connection)
    engine.dispose()


def to_version_1(connection: Connection) -> None:
    """Takes away what later versions added, after the table of versions itself."""
    SchemaRow.metadata.tables["schema_version"].drop(connection)
    for table, column in (("agents", "ca_bundle"), ("outages", "family")):
        connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))


def version(url: str) -> int:
    """The version that is noted."""
    found: list[int] = []
    change(url, lambda connection: found.extend(connection.scalars(select(SchemaRow.version))))
    (one,) = found
    return one


def test_new_registry_has_the_latest_version(kept: str) -> None:
    """There is one row, also after it was opened again."""
    Registry(kept).close()
    assert version(kept) == 1 + len(STEPS)


def test_registry_of_a_newer_version_is_refused_with_a_sentence(kept: str) -> None:
    """And stays as it is."""
    change(kept, lambda connection: connection.execute(update(SchemaRow).values(version=99)))
    with pytest.raises(RegistryError) as caught:
        Registry(kept)
    assert str(caught.value) == (
        f"the registry {kept} cannot be opened: "
        f"it is of version 99, and this collector knows none beyond {1 + len(STEPS)}"
    )
    assert version(kept) == 99


def test_registry_from_before_there_were_versions_is_the_first(kept: str) -> None:
    """Its tables are those of version 1."""
    change(kept, to_version_1)
    Registry(kept).close()
    assert version(kept) == 1 + len(STEPS)


def test_what_the_first_version_kept_is_read_by_the_latest(kept: str) -> None:
    """An outage of then is of no family, as far as anyone knows."""
    with closing(Registry(kept)) as before:
        before.save_outages([OUTAGE])
    change(kept, to_version_1)
    with closing(Registry(kept)) as after:
        assert after.outages() == (OUTAGE,)


def makes(name: str) -> Callable[[Connection], None]:
    """A step that leaves a table of that name."""

    def step(connection: Connection) -> None:
        connection.execute(text(f"CREATE TABLE {name} (x INTEGER)"))

    return step


def fails(connection: Connection) -> None:
    """A step that cannot be taken."""
    raise OSError("the disk is full")


def test_steps_are_taken_once_and_in_order(kept: str) -> None:
    """From the version that is there to the one that is known."""
    change(kept, lambda connection: connection.execute(update(SchemaRow).values(version=2)))
    for _ in range(2):
        change(kept, lambda connection: prepare(connection, [makes("a"), makes("b"), makes("c")]))
    tables: list[str] = []
    change(kept, lambda connection: tables.extend(inspect(connection).get_table_names()))
    assert {"a", "b", "c"} & {*tables} == {"b", "c"}
    assert version(kept) == 4


def test_step_that_fails_leaves_the_registry_as_it_was(kept: str) -> None:
    """All steps and the version are one transaction."""
    engine = open_engine(kept)
    with writing(engine).begin() as connection:
        connection.execute(update(SchemaRow).values(version=1))
    with pytest.raises(OSError, match="full"), writing(engine).begin() as connection:
        prepare(connection, [makes("a"), fails])
    assert "a" not in inspect(engine).get_table_names()
    engine.dispose()
    assert version(kept) == 1
