"""Notices at work in a collector: kept with outages, delivered, counted."""

import asyncio
from pathlib import Path

import yaml

from faultline_collector.config import load_config
from faultline_collector.metrics import Metrics
from faultline_collector.notify.office import open_courier
from faultline_collector.registry.registry import Registry
from faultline_collector.roster import Roster
from tests.collector.api.worlds import CONFIG
from tests.collector.notify.posts import now_us, until
from tests.collector.notify.receivers import REFUSE, TAKE, receiving
from tests.collector.notify.worlds import life


async def test_what_the_registry_keeps_is_told_and_counted(tmp_path: Path) -> None:
    """By the configuration of the moment: who is told may change with a reload."""
    (tmp_path / "secret").write_text("secret")
    path = tmp_path / "collector.yaml"
    with receiving(REFUSE) as old, receiving(TAKE) as new:

        def write(url: str) -> None:
            receiver = {"id": "ops", "kind": "webhook", "url": url, "secret_file": str(tmp_path / "secret")}
            registry = f"sqlite:///{tmp_path}/registry.db"
            path.write_text(
                yaml.safe_dump(CONFIG | {"registry": registry, "notify": {"receivers": [receiver]}})
            )

        write(old.url)
        config = load_config(path)
        registry, metrics = Registry(config.registry), Metrics()
        registry.apply(config)
        roster = Roster(registry, config, path, registry.fleet())
        task = asyncio.create_task(open_courier(registry, roster, metrics, now_us).run())
        twitter = life(target_ids=("twitter-web",))
        registry.save_outages(twitter[:1])
        registry.save_outages(twitter[1:2])
        await until(lambda: bool(old.requests))
        await until(lambda: b'faultline_notices_waiting{receiver="ops"} 1.0' in metrics.text())
        write(new.url)
        await roster.reload()
        await until(lambda: b'faultline_notices_total{fate="sent",receiver="ops"} 1.0' in metrics.text())
        task.cancel()
        await asyncio.wait([task])
        registry.close()
    assert new.requests[0].document["services"] == ["shop", "twitter"]
