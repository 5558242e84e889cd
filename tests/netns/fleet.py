"""The real collector and its real agents, each in a namespace of its own."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

from faultline_collector.config import load_config
from faultline_collector.lab.processes import Crew, program
from faultline_collector.lab.settings import write_yaml
from faultline_collector.lab.sites import page
from faultline_collector.registry.registry import Registry
from tests.netns.internet import (
    ASNS,
    COLLECTOR,
    PARTS,
    PORT,
    REFERENCES,
    REGIONS,
    SERVICES,
    VANTAGES,
    Internet,
    Vantage,
    resolver_of,
)

INTERVAL_S, TIMEOUT_S = 1.0, 0.9
ROUNDS = 12
"""Rounds that must have come before anything is broken."""

OPEN = ("suspected", "confirmed", "recovering")
_WEB = "http://127.0.0.1:8080"
_POLL_S = 0.2

Value = TypeVar("Value")


def collector_settings(folder: Path, authority: Path) -> dict[str, Any]:
    """What the collector reads."""
    return {
        "store": "memory://",
        "registry": f"sqlite:///{folder / 'registry.db'}",
        "listen": {"agents": f"{COLLECTOR}:7443", "web": "127.0.0.1:8080", "plaintext_beyond_loopback": True},
        "correlation": {"hold_s": 2, "unwell_s": 1, "silence_floor_s": 4, "lone_silence_s": 60},
        "regions": [
            {"id": region, "name": region, "country": "IN", "latitude": 20.0 + i, "longitude": 77.0}
            for i, region in enumerate(REGIONS)
        ],
        "networks": [{"asn": asn, "name": f"Net {asn}"} for asn in ASNS],
        "providers": [{"id": provider} for provider in sorted(set(SERVICES.values()) - {""})],
        "services": [
            {
                "id": part.service,
                "provider": part.provider,
                "components": [
                    {
                        "id": part.id,
                        "targets": [
                            {
                                "id": part.target_id,
                                "kind": "http",
                                "interval": f"{INTERVAL_S * 1000:.0f}ms",
                                "timeout": f"{TIMEOUT_S * 1000:.0f}ms",
                                "url": f"{part.transport}://{part.name}:{PORT}/",
                                "body_contains": page(part),
                                "family": "4",
                                **({"ca_file": str(authority)} if part.transport == "https" else {}),
                            }
                        ],
                    }
                ],
            }
            for part in PARTS
        ],
    }


def agent_settings(vantage: Vantage, folder: Path) -> dict[str, Any]:
    """What an agent reads."""
    return {
        "agent": vantage.id,
        "collector": f"grpc://{COLLECTOR}:7443",
        "plaintext_beyond_loopback": True,
        "token_file": str(folder / "token"),
        "spool": {"path": str(folder / "spool.db"), "max_bytes": "16MiB", "max_age": "1d"},
        "resolvers": [resolver_of(vantage.region)],
        "references": {
            "every": "1s",
            "targets": [{"kind": "tcp", "host": address, "port": PORT} for address in REFERENCES],
        },
        "policy": {"networks": ["10.0.0.0/8"], "only_networks": True},
        "status": str(folder / "status.json"),
    }


class Fleet:
    """A collector and nine agents on an internet; `end` ends them all."""

    def __init__(self, internet: Internet, folder: Path) -> None:
        self.internet = internet
        self.crew = Crew(folder)
        self._folder = folder

    def start(self) -> None:
        """Starts everything, and waits until a healthy past is known."""
        authority = self.internet.certificates.authority
        path = write_yaml(self._folder / "collector.yaml", collector_settings(self._folder, authority))
        tokens = self._enlist(path)
        self._launch("collector", "faultline", "collector", "run", "--config", str(path))
        self.until("the collector's web", lambda: self._get("/healthz") is not None, 60)
        for number, vantage in enumerate(VANTAGES):
            home = self._folder / vantage.id
            settings = write_yaml(home / "agent.yaml", agent_settings(vantage, home))
            (home / "token").write_text(tokens[vantage.id])
            (home / "token").chmod(0o600)
            self._launch(vantage.id, "faultline-agent", "run", "--config", str(settings))
            if number == 0:  # it compiles what all others find compiled
                self.until("the first agent", lambda: self.metric("faultline_sessions") > 0, 60)
        wanted = len(VANTAGES) * len(PARTS) * ROUNDS
        self.until("results", lambda: self.metric('faultline_results_total{fate="stored"}') >= wanted, 90)
        self.until("quiet", lambda: not self.open(), 60)

    def _enlist(self, path: Path) -> dict[str, str]:
        config = load_config(path)
        registry = Registry(config.registry)
        registry.apply(config)
        tokens = {v.id: registry.add_agent(v.id, region=v.region, asn=v.asn) for v in VANTAGES}
        registry.close()
        return tokens

    def _launch(self, space: str, command: str, *words: str) -> None:
        self.crew.start(space, self.internet.spaces.command(space, program(command), *words))

    def end(self) -> None:
        """Ends all processes."""
        asyncio.run(self.crew.end())

    def outages(self) -> list[dict[str, Any]]:
        """All outages that the collector tells of, newest first."""
        found = self._get("/api/v1/outages")
        return [] if found is None else list(found.json()["outages"])

    def open(self) -> list[dict[str, Any]]:
        """Those that are open, but for slowness: a machine that is busy with other things is slow indeed."""
        return [o for o in self.outages() if o["state"] in OPEN and o["layer"] != "latency"]

    def story(self, outage_id: str) -> dict[str, Any]:
        """One outage with its evidence."""
        found = self._get(f"/api/v1/outages/{outage_id}")
        assert found is not None
        return dict(found.json())

    def metric(self, name: str) -> float:
        """A metric's value, 0 where there is none."""
        found = self._get("/metrics")
        lines = [] if found is None else found.text.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), 0.0)

    def _get(self, path: str) -> httpx.Response | None:
        def ask() -> httpx.Response | None:
            try:
                return httpx.get(_WEB + path, timeout=10, trust_env=False)
            except httpx.TransportError:
                return None

        return self.internet.spaces.within("collector", ask)

    def until(self, what: str, found: Callable[[], Value], within_s: float) -> Value:
        """Looks again and again until something is there, and gives it."""
        deadline = time.monotonic() + within_s
        while not (value := found()):
            dead = [f"{process.name}: {process.last_words()}" for process in self.crew.dead()]
            assert not dead, dead
            assert time.monotonic() < deadline, f"{what} within {within_s:g} s; {self.outages()}"
            time.sleep(_POLL_S)
        return value
