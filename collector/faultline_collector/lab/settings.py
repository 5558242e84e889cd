"""The configuration files of the lab's collector and agents, written from its world."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from faultline_collector.lab.sites import LOGIN_BODY, page
from faultline_collector.lab.world import (
    REFERENCE_PORT,
    RELAY_PORT,
    RESOLVER_PORT,
    UP_NAME,
    Part,
    Vantage,
    World,
)

LONE_SILENCE_S = 20
"""How long one agent is silent before the lab's collector says so: nobody restarts agents here."""
HOLD_S = 3
"""How long trouble must last to be confirmed: nobody is woken here."""
SLOW_LEAST_S = 60
"""What is slow here is this machine, which all agents and servers share; no probe waits so long."""

GRPC, MQTT = "grpc", "mqtt"
"""How agents come to the collector: the schemes of its URL."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where the collector listens, how often is probed, whom probes trust, and what servers it has."""

    agents_port: int
    web_port: int
    interval_s: float
    authority: Path
    servers: Mapping[str, Any] = field(default_factory=dict)


def collector_settings(world: World, folder: Path, wiring: Wiring) -> dict[str, Any]:
    """What `faultline collector run` reads."""
    return {
        "store": f"duckdb://{folder / 'results.duckdb'}",
        "registry": f"sqlite:///{folder / 'registry.db'}",
        "listen": {
            "agents": f"127.0.0.1:{wiring.agents_port}",
            "web": f"127.0.0.1:{wiring.web_port}",
        },
        **wiring.servers,
        "correlation": {
            "lone_silence_s": LONE_SILENCE_S,
            "hold_s": HOLD_S,
            "unwell_s": 1,
            "slow_least_s": SLOW_LEAST_S,
        },
        "regions": [
            {
                "id": place.id,
                "name": place.name,
                "country": place.country,
                "latitude": place.latitude,
                "longitude": place.longitude,
            }
            for place in world.places
        ],
        "networks": [{"asn": carrier.asn, "name": carrier.name} for carrier in world.carriers],
        "providers": [{"id": id_, "name": name} for id_, name in world.providers.items()],
        "services": [
            {
                "id": product.id,
                "name": product.name,
                "provider": product.provider,
                "components": [{"id": part.id, "targets": [_target(part, wiring)]} for part in product.parts],
            }
            for product in world.products
        ],
    }


def _target(part: Part, wiring: Wiring) -> dict[str, Any]:
    common = {"id": part.target_id, "interval": f"{round(wiring.interval_s * 1000)}ms"}
    return common | _KINDS[part.transport](part, wiring)


def _web(part: Part, wiring: Wiring) -> dict[str, Any]:
    url = f"{part.transport}://{part.name}:{part.port}/"
    settings: dict[str, Any] = {"kind": "http", "url": url, "body_contains": page(part), "family": "4"}
    if part.transport == "https":
        settings["ca_file"] = str(wiring.authority)
    if part.id == "login":
        settings |= {"method": "POST", "body": LOGIN_BODY}
    return settings


def _tcp(part: Part, _: Wiring) -> dict[str, Any]:
    return {"kind": "tcp", "host": part.name, "port": part.port, "expect": page(part), "family": "4"}


def _dns(part: Part, _: Wiring) -> dict[str, Any]:
    return {"kind": "dns", "name": part.name}


_KINDS = {"https": _web, "http": _web, "tcp": _tcp, "dns": _dns}


def agent_settings(
    world: World, vantage: Vantage, folder: Path, interval_s: float, uplink: str = GRPC
) -> dict[str, Any]:
    """What `faultline-agent run` reads; its files lie in `folder`."""
    resolver = f"{world.resolver(vantage)}:{RESOLVER_PORT}"
    return {
        "agent": vantage.id,
        "collector": f"{uplink}://{world.relay(vantage)}:{RELAY_PORT}",
        "token_file": str(folder / "token"),
        "spool": {"path": str(folder / "spool.db"), "max_bytes": "16MiB", "max_age": "1d"},
        "resolvers": [resolver],
        "references": {
            "every": f"{round(interval_s * 500)}ms",
            "targets": [
                {"kind": "tcp", "host": world.gateway(vantage), "port": REFERENCE_PORT},
                {"kind": "tcp", "host": world.upstream(vantage), "port": REFERENCE_PORT},
                {"kind": "dns", "name": UP_NAME, "resolvers": [resolver]},
            ],
        },
        "policy": {"networks": [f"127.{world.block}.0.0/16"], "only_networks": True},
        "status": str(folder / "status.json"),
    }


def write_yaml(path: Path, data: Mapping[str, Any]) -> Path:
    """Writes settings as YAML; gives the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path
