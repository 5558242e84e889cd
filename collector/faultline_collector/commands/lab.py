"""`faultline lab`: a small world on this machine, with faults that can be injected."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faultline_collector.lab.control import NoLab, ask, fault_data
from faultline_collector.lab.faults import BadFault, Failure, Fault
from faultline_collector.outages import Scope

if TYPE_CHECKING:
    from faultline_collector.lab.lab import LabOptions

_FOLDER = click.option("--dir", "folder", type=click.Path(path_type=Path), help="folder of the lab")
_KIND = click.option(
    "--kind", type=click.Choice([f.value for f in Failure]), help="how it fails; each scope has a default"
)
_SHARES = {"grpc": 0.0, "mqtt": 1.0, "mixed": 0.5}

store_option = click.option(
    "--store",
    type=click.Choice(["duckdb", "influxdb"]),
    default="duckdb",
    show_default=True,
    help="where results are kept; influxdb: a real server, started and ended with the lab",
)
uplink_option = click.option(
    "--uplink",
    type=click.Choice(list(_SHARES)),
    default="grpc",
    show_default=True,
    help="how agents come; mqtt: by a real broker of the lab's own; mixed: every other agent so",
)
_COMPONENT = click.option("--component", default="", help="only this component, such as login")


@click.group()
def lab() -> None:
    """A small world on this machine: 36 agents, a dozen services, and faults to inject."""


@lab.command()
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default=Path("build/lab"), show_default=True
)
@click.option("--agents", type=click.IntRange(1, 36), default=36, show_default=True)
@click.option("--interval", "interval_s", type=click.FloatRange(1, 3600), default=5.0, show_default=True)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="of page and API"
)
@store_option
@uplink_option
def run(folder: Path, agents: int, interval_s: float, port: int, store: str, uplink: str) -> None:
    """Runs the world, a collector and the agents until Ctrl-C."""
    from faultline_collector.lab.run import run_lab

    sys.exit(run_lab(options_of(folder, store, uplink, agents=agents, interval_s=interval_s, web_port=port)))


def options_of(folder: Path, store: str, uplink: str, **more: Any) -> "LabOptions":
    """What a lab is to be, as it was written."""
    from faultline_collector.lab.lab import LabOptions

    return LabOptions(folder, **more, influxdb=store == "influxdb", mqtt_share=_SHARES[uplink])


@lab.command()
@_FOLDER
def status(folder: Path | None) -> None:
    """Says how the running lab is."""
    answer = _ask(folder, {"do": "status"})
    click.echo(f"{answer['web']}  {answer['connected']} of {answer['agents']} agents connected")
    for name in answer["dead"]:
        click.echo(f"{name} has ended")
    _say_faults(answer)


@lab.group()
def fault() -> None:
    """Breaks something in the running lab."""


@fault.command("global")
@click.argument("service")
@_KIND
@_COMPONENT
@_FOLDER
def everywhere(service: str, kind: str | None, component: str, folder: Path | None) -> None:
    """SERVICE fails everywhere."""
    _inject(folder, Fault(Scope.GLOBAL, service, _failure(kind), component=component))


@fault.command()
@click.argument("service")
@click.option("--regions", required=True, help="such as in-west,in-east")
@_KIND
@_COMPONENT
@_FOLDER
def regional(service: str, regions: str, kind: str | None, component: str, folder: Path | None) -> None:
    """SERVICE fails in some regions."""
    there = tuple(region.strip() for region in regions.split(",") if region.strip())
    _inject(folder, Fault(Scope.REGIONAL, service, _failure(kind), there, component))


@fault.command()
@click.argument("asn")
@_KIND
@_FOLDER
def network(asn: str, kind: str | None, folder: Path | None) -> None:
    """The network ASN loses its transit: its agents reach no target."""
    _inject(folder, Fault(Scope.NETWORK, asn.upper().removeprefix("AS"), _failure(kind)))


@fault.command()
@click.argument("name")
@_KIND
@_FOLDER
def provider(name: str, kind: str | None, folder: Path | None) -> None:
    """All services that stand on the provider NAME fail."""
    _inject(folder, Fault(Scope.PROVIDER, name, _failure(kind)))


@fault.command()
@click.argument("agent_id", required=False, default="")
@_KIND
@click.option("--isolated", is_flag=True, help="cut it off from the collector too")
@_FOLDER
def agent(agent_id: str, kind: str | None, isolated: bool, folder: Path | None) -> None:
    """One agent's own network fails, its references too."""
    _inject(folder, Fault(Scope.AGENT, agent_id, _failure(kind), isolated=isolated))


@fault.command()
@_FOLDER
def collector(folder: Path | None) -> None:
    """The collector is cut off from all agents."""
    _inject(folder, Fault(Scope.COLLECTOR))


@fault.command()
@_FOLDER
def clear(folder: Path | None) -> None:
    """Makes everything whole."""
    _say_faults(_ask(folder, {"do": "clear"}))


@fault.command("list")
@_FOLDER
def list_(folder: Path | None) -> None:
    """Says what is broken."""
    _say_faults(_ask(folder, {"do": "list"}))


def _failure(kind: str | None) -> Failure | None:
    return Failure(kind) if kind else None


def _inject(folder: Path | None, broken: Fault) -> None:
    _say_faults(_ask(folder, {"do": "inject", "fault": fault_data(broken)}))


def _ask(folder: Path | None, request: dict[str, Any]) -> dict[str, Any]:
    try:
        return ask(folder, request)
    except (NoLab, BadFault) as error:
        click.echo(f"faultline lab: {error}", err=True)
        sys.exit(2)


def _say_faults(answer: dict[str, Any]) -> None:
    for said in answer["said"] or ["nothing is broken"]:
        click.echo(said)
