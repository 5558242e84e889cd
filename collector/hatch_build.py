"""Builds the page into the wheel; an editable installation has it built by `make page` instead."""

import runpy
from pathlib import Path
from typing import Any

# hatchling is there when a wheel is built, and only then
from hatchling.builders.hooks.plugin.interface import BuildHookInterface  # type: ignore[import-not-found]


class PageHook(BuildHookInterface):  # type: ignore[misc]
    """Runs web/build.py before a wheel is packed."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling; `version` is "editable" or "standard"."""
        if version != "editable":
            runpy.run_path(str(Path(self.root) / "web" / "build.py"))["build_page"]()
