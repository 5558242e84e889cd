"""Settings of probe kinds: problems of a JSON Schema as sentences."""

import pytest

from faultline.config import BadConfig, parse_data
from faultline_agent.probes import PROBES
from faultline_collector.probe_kinds import kind_problems, kinds, kinds_schema

HTTP = {"url": "https://twitter.example/"}
DNS = {"name": "twitter.example"}
TCP = {"host": "192.0.2.1", "port": 443}


STATUSES = "is not a status like 204 or a class of statuses like '2xx'"
URL = "is not a URL like https://example.com/path: http:// or https://, a host, no spaces"

BOTH = [
    ("http", HTTP | {"statuses": [204, "3xx"], "family": "any"}, []),
    ("http", HTTP | {"statuses": [None]}, [f"statuses[0]: None {STATUSES}"]),
    ("http", HTTP | {"statuses": [999]}, [f"statuses[0]: 999 {STATUSES}"]),
    ("http", HTTP | {"statuses": ["9xx"]}, [f"statuses[0]: '9xx' {STATUSES}"]),
    ("http", HTTP | {"statuses": 200}, ["statuses: 200 is not a list"]),
    ("http", HTTP | {"headers": ["a: b"]}, ["headers: ['a: b'] is not a mapping"]),
    (
        "http",
        HTTP | {"headers": {"a b": ""}},
        ["headers: 'a b' is not the name of a header like X-Request-Id"],
    ),
    ("http", HTTP | {"headers": {"a": "b\n"}}, ["headers.a: 'b\\n' is not one line of text"]),
    ("http", HTTP | {"follow_redirects": 21}, ["follow_redirects: 21 is not between 0 and 20"]),
    ("http", {"url": "ftp://x"}, [f"url: 'ftp://x' {URL}"]),
    ("http", {"url": "http://x/\n"}, [f"url: 'http://x/\\n' {URL}"]),
    (
        "http",
        HTTP | {"body_lacks": "x" * 5000},
        [f"body_lacks: '{'x' * 199}... has more than 4096 characters"],
    ),
    ("tcp", {}, ["host is missing", "port is missing"]),
    ("tcp", TCP | {"port": "x"}, ["port: 'x' is not a whole number"]),
    ("dns", DNS | {"answers": ["::1", "x"]}, ["answers[1]: 'x' is not an address"]),
    ("dns", DNS | {"resolvers": ["[::1]:53", "x"]}, ["resolvers[1]: 'x' is not an address or address:port"]),
]
"""Settings, and what both agent and collector say about them."""


@pytest.mark.parametrize(("kind", "settings", "problems"), BOTH)
def test_agent_and_collector_say_the_same(
    kind: str, settings: dict[str, object], problems: list[str]
) -> None:
    """Path, value and what is allowed, whoever reads the settings."""
    assert list(kind_problems(kind, settings, ())) == problems
    try:
        parse_data(settings, PROBES[kind], "")
        said: tuple[str, ...] = ()
    except BadConfig as error:
        said = error.problems
    assert list(said) == problems


@pytest.mark.parametrize(
    ("kind", "settings", "problems"),
    [
        ("http", HTTP | {"statuses": []}, ["statuses: [] holds fewer than 1"]),
        ("http", HTTP | {"ca_file": 5}, ["ca_file: 5 is not text or empty"]),
        (
            "tcp",
            TCP | {"hots": 1, "intervall": 2, "zzz": 3},
            [
                "hots is not a known setting of tcp; is host meant?",
                "intervall is not a known setting of tcp; is interval meant?",
                "zzz is not a known setting of tcp; known are host, port, family, send, expect, interval",
            ],
        ),
        ("ping", {}, [f"kind: 'ping' is not one of {', '.join(kinds(kinds_schema()))}"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_problem_becomes_a_sentence(kind: str, settings: dict[str, object], problems: list[str]) -> None:
    """In the words of the rest of the configuration."""
    assert list(kind_problems(kind, settings, (), ["interval"])) == problems


def test_path_of_the_target_comes_first() -> None:
    """The sentence leads to the place in the file."""
    (problem,) = kind_problems("tcp", TCP | {"port": 0}, ("services", 2, "targets", 0))
    assert problem == "services[2].targets[0].port: 0 is not between 1 and 65535"
