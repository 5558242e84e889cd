"""Registries in memory and in a file, with one small world."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from faultline_collector.config import CollectorConfig, check_data
from faultline_collector.registry.registry import Registry


def config_of(
    regions: tuple[str, ...] = ("in-west", "us-east"), asns: tuple[int, ...] = (7018, 55836)
) -> CollectorConfig:
    """One service in some places."""
    data = {
        "regions": [{"id": i, "country": "IN", "latitude": 19.1, "longitude": 72.9} for i in regions],
        "networks": [{"asn": asn} for asn in asns],
        "providers": [{"id": "edgeline"}],
        "services": [
            {
                "id": "twitter",
                "provider": "edgeline",
                "components": [
                    {
                        "id": name,
                        "targets": [{"id": f"twitter-{name}", "kind": "tcp", "host": "x", "port": 1}],
                    }
                    for name in ("web", "login", "api")
                ],
            }
        ],
    }
    return check_data(data, "test")


@pytest.fixture
def config() -> CollectorConfig:
    """The small world."""
    return config_of()


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a registry is kept."""
    return "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/registry.db"


@pytest.fixture
def registry(url: str, config: CollectorConfig) -> Iterator[Registry]:
    """A registry that knows the small world."""
    opened = Registry(url)
    opened.apply(config)
    yield opened
    opened.close()
