"""Opening a registry, and sentences when that fails."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from faultline_collector.registry.database import RegistryError, url_problem
from faultline_collector.registry.registry import Registry


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "registry.db",
            "'registry.db' is not the URL of a registry like sqlite:////var/lib/faultline/registry.db",
        ),
        (
            "nosuch://x",
            "'nosuch://x' is not the URL of a registry like sqlite:////var/lib/faultline/registry.db",
        ),
        (
            "postgrsql://user:s3cret@db/faultline",
            "'postgrsql://user:***@db/faultline' is not the URL of a registry like "
            "sqlite:////var/lib/faultline/registry.db",
        ),
        (
            "sqlite:////nowhere/at/all.db",
            "sqlite:////nowhere/at/all.db: the folder /nowhere/at does not exist",
        ),
        (
            "mysql+mysqldb://user:s3cret@db/faultline",
            "mysql+mysqldb://user:***@db/faultline needs the Python package MySQLdb, which is not installed",
        ),
    ],
    ids=["no URL", "unknown", "misspelt", "folder", "driver"],
)
def test_unusable_urls_get_a_sentence(url: str, sentence: str) -> None:
    """Passwords are not shown."""
    with pytest.raises(RegistryError) as caught:
        Registry(url)
    assert str(caught.value) == sentence


def test_good_urls_have_no_problem() -> None:
    """A file, a relative one, and one in memory."""
    assert [url_problem(url) for url in ("sqlite:////a/b.db", "sqlite:///b.db", "sqlite://")] == ["", "", ""]


def test_foreign_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """A file that is not a database is left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database" * 1000)
    with pytest.raises(RegistryError) as caught:
        Registry(f"sqlite:///{path}")
    assert str(caught.value) == f"the registry sqlite:///{path} cannot be opened: file is not a database"
    assert path.read_text().startswith("not a database")


def test_file_is_safe_to_share(tmp_path: Path) -> None:
    """Readers are not blocked by a writer (WAL)."""
    path = tmp_path / "registry.db"
    registry = Registry(f"sqlite:///{path}")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        other.execute("BEGIN IMMEDIATE")
        assert registry.fleet().agents == ()
        assert registry.authenticate("x") is None
        other.execute("ROLLBACK")
    registry.close()


def test_failing_database_is_a_registry_error(tmp_path: Path) -> None:
    """Callers meet one kind of exception, whatever is below."""
    path = tmp_path / "registry.db"
    registry = Registry(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE agents")
    with pytest.raises(RegistryError, match="the registry failed: no such table: agents"):
        registry.authenticate("x")
    registry.close()
