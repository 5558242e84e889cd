"""The house's limits on source and tests: short modules, short functions, tests that say what they state."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("agent", "collector", "protos", "scripts", "tests")
ELSEWHERE = ("node_modules", "_pb2")
MODULE_LINES = 400
FUNCTION_LINES = 50

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> Iterator[tuple[str, str]]:
    """Place and text of all Python that people write."""
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        place = str(path.relative_to(ROOT))
        if not any(other in place for other in ELSEWHERE):
            yield place, path.read_text()


def functions() -> Iterator[tuple[str, Function]]:
    """Place and tree of all functions and methods."""
    for place, text in modules():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, Function):
                yield f"{place}:{node.lineno} {node.name}", node


def test_no_module_is_longer_than_400_lines() -> None:
    """A module is one noun."""
    lengths = {place: len(text.splitlines()) for place, text in modules()}
    assert len(lengths) > 200
    assert {place: lines for place, lines in lengths.items() if lines > MODULE_LINES} == {}


def test_no_function_is_longer_than_50_lines() -> None:
    """What is longer does two things."""
    lengths = {place: (node.end_lineno or 0) - node.lineno + 1 for place, node in functions()}
    assert {place: lines for place, lines in lengths.items() if lines > FUNCTION_LINES} == {}


def test_every_test_says_in_a_sentence_what_it_states() -> None:
    """Whoever reads a failure reads what should have been."""
    tests = {place: node for place, node in functions() if node.name.startswith("test_")}
    assert [place for place, node in tests.items() if not ast.get_docstring(node)] == []
