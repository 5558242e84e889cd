"""Where results are kept: one file a store, one line in the table."""

from collections.abc import Callable
from pathlib import Path

from faultline_collector.stores.store import Store, StoreError


def _duckdb(place: str) -> Store:
    from faultline_collector.stores.duckdb import DuckdbStore

    if not place:
        raise StoreError(
            "duckdb:// names no file; duckdb:///var/lib/faultline/results.duckdb does", permanent=True
        )
    return DuckdbStore(Path(place))


def _memory(place: str) -> Store:
    from faultline_collector.stores.memory import MemoryStore

    if place:
        raise StoreError(f"memory:// takes nothing behind it, not {place!r}", permanent=True)
    return MemoryStore()


STORES: dict[str, Callable[[str], Store]] = {
    "duckdb": _duckdb,
    "memory": _memory,
}
"""Stores by URL scheme; each is opened with what follows `scheme://`."""


def url_problem(url: str) -> str:
    """Why a text cannot be the URL of a store, in a sentence; empty when it can."""
    scheme, colon, _ = url.partition("://")
    if colon and scheme in STORES:
        return ""
    return (
        f"{url!r} is not the URL of a store, which begins with {' or '.join(f'{name}://' for name in STORES)}"
    )


def open_store(url: str) -> Store:
    """Opens the store at `url`; raises StoreError with a sentence when it cannot."""
    if said := url_problem(url):
        raise StoreError(said, permanent=True)
    scheme, _, place = url.partition("://")
    return STORES[scheme](place)
