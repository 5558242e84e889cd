"""Tables are complete, seams narrow, settings documented; examples load."""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

import faultline_agent.commands
import faultline_agent.probes
import faultline_agent.uplinks
import faultline_collector.commands
import faultline_collector.notify.notifiers
import faultline_collector.stores
from faultline.config import read_config
from faultline_agent.config import AgentConfig
from faultline_agent.probes import PROBES
from faultline_agent.uplinks.uplink import Session, Uplink
from faultline_collector.config import CollectorConfig, load_config
from faultline_collector.notify.notifiers.notifier import Notifier
from faultline_collector.stores.store import Store
from scripts.settings import rows
from tests.bench.__main__ import BENCHES

ROOT = Path(__file__).resolve().parent.parent

HISTORY = {"places", "rollups", "summary", "plan", "counting", "answering", "packed", "packed_counting"}

TABLES = {
    "probe kinds": (faultline_agent.probes, PROBES, {"probe", "schema", "tools"}),
    "uplinks": (faultline_agent.uplinks, faultline_agent.uplinks.UPLINKS, {"uplink", "wire", "pump"}),
    "notifiers": (
        faultline_collector.notify.notifiers,
        faultline_collector.notify.notifiers.NOTIFIERS,
        {"notifier", "posting"},
    ),
    "stores": (
        faultline_collector.stores,
        faultline_collector.stores.STORES,
        {"store", "remote", "options", "ledger", "order", "daily", *HISTORY},
    ),
}
"""Each seam's package, its table, and the modules of the folder that are not entries of it."""

MODELS: dict[str, type[BaseModel]] = {"collector": CollectorConfig, "agent": AgentConfig, **PROBES}


def modules_in(package: ModuleType) -> set[str]:
    """Names of the modules and packages that lie in a package's folder."""
    folder = Path(str(package.__file__)).parent
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    return ({path.stem for path in folder.glob("*.py")} | packages) - {"__init__"}


def module_of(entry: object, package: ModuleType) -> str:
    """The module below the package that an entry comes from: a class, a function, or `module:attribute`."""
    place = entry.partition(":")[0] if isinstance(entry, str) else str(getattr(entry, "__module__", ""))
    return place.removeprefix(f"{package.__name__}.").partition(".")[0]


@pytest.mark.parametrize(("package", "table", "others"), TABLES.values(), ids=TABLES.keys())
def test_every_module_of_a_seam_is_in_its_table(
    package: ModuleType, table: Mapping[str, object], others: set[str]
) -> None:
    """A file without its line in the table would never be reached."""
    assert modules_in(package) - others == {module_of(entry, package) for entry in table.values()}


COMMANDS = {
    "faultline": (faultline_collector.commands, faultline_collector.commands.COMMANDS),
    "faultline-agent": (faultline_agent.commands, faultline_agent.commands.COMMANDS),
}


@pytest.mark.parametrize(("package", "table"), COMMANDS.values(), ids=COMMANDS.keys())
def test_every_command_of_the_table_loads_under_its_name(package: ModuleType, table: dict[str, str]) -> None:
    """A command that is listed can be run, and its file lies in the folder."""
    for name, place in table.items():
        module, _, attribute = place.partition(":")
        assert getattr(import_module(module), attribute).name == name
        assert module_of(place, package) in modules_in(package)


@pytest.mark.parametrize("seam", [Store, Uplink, Session, Notifier], ids=lambda seam: str(seam.__name__))
def test_a_seam_has_at_most_six_methods(seam: type) -> None:
    """What is wider is not written twice; a store's speaks no SQL."""
    methods = [name for name in vars(seam) if not name.startswith("_")]
    assert 1 <= len(methods) <= 6
    assert "sql" not in inspect.getsource(seam).lower()


def test_every_bench_is_in_the_table() -> None:
    """A bench without its line would never be run."""
    assert modules_in(import_module("tests.bench")) - {"__main__", "rows"} >= set(BENCHES)
    runs = {p.stem for p in (ROOT / "tests/bench").glob("*.py") if "\ndef run(" in p.read_text()}
    assert runs == set(BENCHES)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_every_setting_says_what_it_does(model: type[BaseModel]) -> None:
    """A setting without a description cannot be documented."""
    schema = model.model_json_schema()
    assert [path for path, _, _, text in rows(schema, schema) if not text] == []


EXAMPLES: dict[str, Callable[[Path], object]] = {
    "collector": load_config,
    "agent": lambda path: read_config(path, AgentConfig),
}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "deploy/examples").glob("*.yaml")), ids=lambda path: path.stem
)
def test_example_config_loads(path: Path) -> None:
    """An example that somebody copies works."""
    assert EXAMPLES[path.stem.split("-")[0]](path)


@pytest.mark.parametrize(
    "unit", sorted((ROOT / "deploy/systemd").glob("*.service")), ids=lambda path: path.stem
)
def test_systemd_unit_runs_a_command_that_exists(unit: Path) -> None:
    """A unit starts one of the two programs with a command of its table."""
    start = next(line for line in unit.read_text().splitlines() if line.startswith("ExecStart="))
    program, command = start.split()[1:3]
    assert command in COMMANDS[program][1]


@pytest.mark.parametrize(
    "unwanted", ["numpy", "duckdb", "sqlalchemy", "starlette", "uvicorn", "rich", "faultline_collector"]
)
def test_agent_installs_nothing_of_the_collectors(unwanted: str) -> None:
    """The agent's distribution stays light."""
    texts = (ROOT / "agent/pyproject.toml").read_text() + (ROOT / "protos/pyproject.toml").read_text()
    assert unwanted not in texts
