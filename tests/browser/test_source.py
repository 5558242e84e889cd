"""The page's source: its own tests, its types, its lock file and its build."""

import re
from types import ModuleType

import pytest

pytestmark = pytest.mark.browser


@pytest.mark.timeout(180)
def test_types_are_sound(build: ModuleType) -> None:
    """svelte-check with TypeScript's strictest settings finds nothing."""
    build.run_npm("run", "check")


@pytest.mark.timeout(180)
def test_unit_tests_of_the_page_pass(build: ModuleType) -> None:
    """vitest: the sentences, the order of outages, the map's keys."""
    build.run_npm("test")


def test_lock_file_names_no_registry(build: ModuleType) -> None:
    """Whoever builds uses the registry that their npm is set up for."""
    lock = (build.WEB / "package-lock.json").read_text(encoding="utf-8")
    assert "integrity" in lock
    assert not re.search(r'"resolved"', lock)


def test_build_is_repeated_only_when_the_source_changed(build: ModuleType) -> None:
    """A page whose stamp has the source's digest is left alone."""
    build.build_page()
    assert build.build_page() is False


def test_failed_build_says_what_npm_said(build: ModuleType) -> None:
    """The sentence names the command."""
    with pytest.raises(build.PageNotBuilt, match="`npm run nothing` failed"):
        build.run_npm("run", "nothing")
