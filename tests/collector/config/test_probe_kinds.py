"""Settings of probe kinds: problems of a JSON Schema as sentences."""

import pytest

from faultline_collector.probe_kinds import kind_problems, kinds, kinds_schema

HTTP = {"url": "https://twitter.example/"}
TCP = {"host": "192.0.2.1", "port": 443}


@pytest.mark.parametrize(
    ("kind", "settings", "problems"),
    [
        ("http", HTTP | {"statuses": [204, "3xx"], "family": "any"}, []),
        ("http", HTTP | {"statuses": [None]}, ["statuses[0]: None is not a whole number or text"]),
        ("http", HTTP | {"statuses": ["9xx"]}, ["statuses[0]: '9xx' does not match ^[1-5]xx$"]),
        ("http", HTTP | {"statuses": []}, ["statuses: [] holds fewer than 1"]),
        ("http", HTTP | {"statuses": 200}, ["statuses: 200 is not a list"]),
        ("http", HTTP | {"headers": ["a: b"]}, ["headers: ['a: b'] is not a mapping"]),
        ("http", HTTP | {"follow_redirects": 21}, ["follow_redirects: 21 is not between 0 and 20"]),
        (
            "http",
            {"url": "ftp://x"},
            ["url: 'ftp://x' does not match ^https?://[^\\s\\x00-\\x1f/?#][^\\s\\x00-\\x1f]*$"],
        ),
        (
            "http",
            HTTP | {"body_lacks": "x" * 5000},
            [f"body_lacks: {'x' * 5000!r} has more than 4096 characters"],
        ),
        ("tcp", {}, ["host is missing", "port is missing"]),
        ("tcp", TCP | {"port": "443"}, ["port: '443' is not a whole number"]),
        (
            "tcp",
            TCP | {"x": 1, "y": 2},
            ["x is not a known setting of tcp", "y is not a known setting of tcp"],
        ),
        ("ping", {}, [f"kind: 'ping' is not one of {', '.join(kinds(kinds_schema()))}"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_problem_becomes_a_sentence(kind: str, settings: dict[str, object], problems: list[str]) -> None:
    """Path, value and what is allowed, in the words of the rest of the configuration."""
    assert list(kind_problems(kind, settings, ())) == problems


def test_path_of_the_target_comes_first() -> None:
    """The sentence leads to the place in the file."""
    (problem,) = kind_problems("tcp", TCP | {"port": 0}, ("services", 2, "targets", 0))
    assert problem == "services[2].targets[0].port: 0 is not between 1 and 65535"
