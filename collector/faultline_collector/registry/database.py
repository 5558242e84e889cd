"""Opening the registry's database: one place for what SQLite needs to be shared by several processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from faultline_collector.registry.schema import NewerSchema, prepare

BUSY_TIMEOUT_S = 15


class RegistryError(Exception):
    """Raised when the registry cannot do what was asked, in one sentence."""


def open_engine(url: str) -> Engine:
    """Connects to the database at `url` and makes its tables what this version knows."""
    if said := url_problem(url):
        raise RegistryError(said)
    place = make_url(url)
    engine = _sqlite(place) if place.get_backend_name() == "sqlite" else create_engine(place)
    try:
        with writing(engine).begin() as connection:
            prepare(connection)
    except (SQLAlchemyError, NewerSchema) as error:
        engine.dispose()
        raise RegistryError(f"the registry {_shown(place)} cannot be opened: {_reason(error)}") from error
    return engine


def writing(engine: Engine) -> Engine:
    """The same engine, its transactions begun as writers: in SQLite a reader cannot safely become one."""
    return engine.execution_options(writes=True)


def url_problem(url: str) -> str:
    """Why a text cannot be the URL of a registry, in a sentence; empty when it can."""
    shown = url.partition("://")[0]
    try:
        place = make_url(url)
        shown = _shown(place)
        place.get_dialect().import_dbapi()
    except (ArgumentError, NoSuchModuleError, ValueError):
        return f"{shown!r} is not the URL of a registry like sqlite:////var/lib/faultline/registry.db"
    except ModuleNotFoundError as error:
        return f"{_shown(place)} needs the Python package {error.name}, which is not installed"
    return ""


@contextmanager
def as_registry_error() -> Iterator[None]:
    """Turns what the database says into a RegistryError."""
    try:
        yield
    except SQLAlchemyError as error:
        raise RegistryError(f"the registry failed: {_reason(error)}") from error


def _shown(place: URL) -> str:
    return place.render_as_string(hide_password=True)


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def _sqlite(place: URL) -> Engine:
    in_memory = place.database in (None, "", ":memory:")
    if not in_memory and not Path(str(place.database)).parent.is_dir():
        raise RegistryError(f"{_shown(place)}: the folder {Path(str(place.database)).parent} does not exist")
    pool: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if in_memory else {}
    engine = create_engine(
        place,
        poolclass=QueuePool,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        **pool,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin below, not when the driver sees fit
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
