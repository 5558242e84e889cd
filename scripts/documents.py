"""Writes what is made from models: schemas, the OpenAPI document, the page of settings; --check looks."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from faultline_agent.probes import schema as kinds
from faultline_collector import config
from faultline_collector.api import openapi
from faultline_collector.mqtt import events
from faultline_collector.notify import document as notice
from scripts import settings

ROOT = Path(__file__).resolve().parent.parent

DOCUMENTS: dict[str, Callable[[], str]] = {
    "protos/faultline/probe-kinds.schema.json": kinds.text,
    "collector/faultline_collector/config.schema.json": config.schema_text,
    "collector/faultline_collector/notify/notice.schema.json": notice.schema_text,
    "collector/faultline_collector/mqtt/events.schema.json": events.schema_text,
    "docs/openapi.json": openapi.text,
    "docs/settings.md": settings.page,
}
"""Files below the repository's root, and what makes the text of each."""


def stale(root: Path = ROOT) -> list[str]:
    """The files that do not say what the code says."""
    return [name for name, text in DOCUMENTS.items() if not _says(root / name, text())]


def write(root: Path = ROOT) -> None:
    """Writes those that are stale."""
    for name in stale(root):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(DOCUMENTS[name](), encoding="utf-8")


def _says(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text


def main(arguments: Sequence[str], root: Path = ROOT) -> None:
    """Writes, or with `--check` ends with a sentence where something is stale."""
    if "--check" not in arguments:
        write(root)
    elif names := stale(root):
        sys.exit(f"not current (run `make protos`): {', '.join(names)}")
    else:
        print("schemas, OpenAPI document and page of settings are current")


if __name__ == "__main__":
    main(sys.argv[1:])
