"""Where results are kept: one file a store, one line in the table."""

from collections.abc import Callable
from importlib import import_module

from faultline_collector.stores.options import StoreOptions
from faultline_collector.stores.store import Store, StoreError

STORES: dict[str, str] = {
    "duckdb": "faultline_collector.stores.duckdb:duckdb_at",
    "influxdb": "faultline_collector.stores.influxdb.store:influxdb_at",
    "influxdbs": "faultline_collector.stores.influxdb.store:influxdbs_at",
    "memory": "faultline_collector.stores.memory:memory_at",
}
"""Stores by URL scheme, as `module:function`.

The function takes what follows `scheme://`, raises StoreError where that cannot be, and gives what opens the
store with its options.
"""


def url_problem(url: str) -> str:
    """Why a text cannot be the URL of a store, in a sentence; empty when it can."""
    try:
        _store_at(url)
    except StoreError as error:
        return str(error)
    return ""


def open_store(url: str, options: StoreOptions | None = None) -> Store:
    """Opens the store at `url`; raises StoreError with a sentence when it cannot."""
    return _store_at(url)(options or StoreOptions())


def _store_at(url: str) -> Callable[[StoreOptions], Store]:
    scheme, colon, place = url.partition("://")
    if not colon or scheme not in STORES:
        schemes = " or ".join(f"{name}://" for name in STORES)
        raise StoreError(f"{url!r} is not the URL of a store, which begins with {schemes}", permanent=True)
    module, _, function = STORES[scheme].partition(":")
    found: Callable[[StoreOptions], Store] = getattr(import_module(module), function)(place)
    return found
