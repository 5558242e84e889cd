"""Where results are kept: one file a store, one line in the table."""

from importlib import import_module

from faultline_collector.stores.options import StoreOptions
from faultline_collector.stores.store import Store, StoreError

STORES: dict[str, str] = {
    "duckdb": "faultline_collector.stores.duckdb:open_duckdb",
    "influxdb": "faultline_collector.stores.influxdb.store:open_influxdb",
    "influxdbs": "faultline_collector.stores.influxdb.store:open_influxdbs",
    "memory": "faultline_collector.stores.memory:open_memory",
}
"""Stores by URL scheme, as `module:function`; the function takes what follows `scheme://`, and options."""


def url_problem(url: str) -> str:
    """Why a text cannot be the URL of a store, in a sentence; empty when it can."""
    scheme, colon, _ = url.partition("://")
    if colon and scheme in STORES:
        return ""
    return (
        f"{url!r} is not the URL of a store, which begins with {' or '.join(f'{name}://' for name in STORES)}"
    )


def open_store(url: str, options: StoreOptions | None = None) -> Store:
    """Opens the store at `url`; raises StoreError with a sentence when it cannot."""
    if said := url_problem(url):
        raise StoreError(said, permanent=True)
    scheme, _, place = url.partition("://")
    module, _, function = STORES[scheme].partition(":")
    store: Store = getattr(import_module(module), function)(place, options or StoreOptions())
    return store
