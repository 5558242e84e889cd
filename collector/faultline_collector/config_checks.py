"""What a form alone cannot say about the collector's configuration: ids, references, times, addresses.

Works on plain data, so that these problems are reported together with those of form; what is malformed is
left to the form.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from faultline.columns import ID_FORM, ID_WORDS, MAX_ID_LENGTH
from faultline.durations import format_duration, parse_duration
from faultline.hosts import is_loopback
from faultline.problems import path_text
from faultline_collector import stores
from faultline_collector.notify.checks import notify_problems
from faultline_collector.probe_kinds import kind_problems
from faultline_collector.registry import database

MIN_INTERVAL = timedelta(seconds=1)
MIN_RETENTION = timedelta(days=1)
DEFAULT_RETENTION = timedelta(days=7)
DEFAULT_INTERVAL = timedelta(seconds=30)
COMMON_TARGET_KEYS = frozenset({"id", "kind", "interval", "timeout", "regions", "home_region"})
"""Settings that targets of every kind have; all others are the kind's."""

ID_SENTENCE = f"is not {ID_WORDS}"
DEFAULT_ADDRESSES = {"agents": "127.0.0.1:7443", "web": "127.0.0.1:8080"}

Path = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A mapping somewhere in the file, and where."""

    path: Path
    data: Mapping[str, object]

    def under(self, name: str) -> "list[Node]":
        """The mappings of the list called `name`."""
        items = self.data.get(name)
        if not isinstance(items, list):
            return []
        return [
            Node((*self.path, name, i), item) for i, item in enumerate(items) if isinstance(item, Mapping)
        ]

    def inner(self, name: str) -> "Node":
        """The mapping called `name`, empty when there is none."""
        item = self.data.get(name)
        return Node((*self.path, name), item if isinstance(item, Mapping) else {})

    def text(self, name: str) -> str | None:
        """The text called `name`, None when there is none."""
        item = self.data.get(name)
        return item if isinstance(item, str) else None

    def duration(self, name: str) -> timedelta | None:
        """The duration called `name`, None when there is none that can be read."""
        try:
            return parse_duration(self.text(name) or "")
        except ValueError:
            return None

    def problem(self, name: str | int, said: str) -> str:
        """A sentence about the setting called `name`."""
        return f"{path_text((*self.path, name))}: {said}"


def id_problem(text: str) -> str:
    """Why a text cannot be an id, in a sentence; empty when it can."""
    if len(text) > MAX_ID_LENGTH:
        return f"an id of {len(text)} characters is longer than {MAX_ID_LENGTH}"
    return "" if ID_FORM.fullmatch(text) else f"{text!r} {ID_SENTENCE}"


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`; raises ValueError with a sentence."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{address!r} is not host:port with a port between 0 and 65535")
    return host, int(port)


def cross_problems(data: object) -> list[str]:
    """Every problem that the form does not show, in the order of `CHECKS`."""
    if not isinstance(data, Mapping):
        return []
    root = Node((), data)
    return [problem for check in CHECKS for problem in check(root)]


def _services(root: Node) -> list[Node]:
    return root.under("services")


def _components(root: Node) -> list[Node]:
    return [component for service in _services(root) for component in service.under("components")]


def _targets(root: Node) -> list[Node]:
    return [target for component in _components(root) for target in component.under("targets")]


def _empty(root: Node) -> Iterator[str]:
    for nodes, name in (
        ([root], "regions"),
        ([root], "services"),
        (_services(root), "components"),
        (_components(root), "targets"),
    ):
        for node in nodes:
            if node.data.get(name) == []:
                yield node.problem(name, "there must be at least one")


def _ids(root: Node) -> Iterator[str]:
    for node in [*root.under("regions"), *root.under("providers"), *_services(root), *_components(root),
                 *_targets(root)]:  # fmt: skip
        text = node.text("id")
        if text is not None and (said := id_problem(text)):
            yield node.problem("id", said)


def _repeated(root: Node) -> Iterator[str]:
    yield from _repeats(root.under("regions"), "id")
    yield from _repeats(root.under("networks"), "asn")
    yield from _repeats(root.under("providers"), "id")
    yield from _repeats(_services(root), "id")
    for service in _services(root):
        yield from _repeats(service.under("components"), "id")
    yield from _repeats(_targets(root), "id")


def _repeats(nodes: Iterable[Node], name: str) -> Iterator[str]:
    seen: dict[object, Path] = {}
    for node in nodes:
        value = node.data.get(name)
        if not isinstance(value, str | int):
            continue
        if value in seen:
            yield node.problem(name, f"{value!r} is already taken by {path_text(seen[value])}")
        seen.setdefault(value, node.path)


def _references(root: Node) -> Iterator[str]:
    regions = {node.text("id") for node in root.under("regions")}
    providers = {node.text("id") for node in root.under("providers")}
    for node in [*_services(root), *_components(root)]:
        provider = node.text("provider")
        if provider and provider not in providers:
            yield node.problem("provider", f"{provider!r} is not among the providers")
    for node in _targets(root):
        home = node.text("home_region")
        if home and home not in regions:
            yield node.problem("home_region", f"{home!r} is not among the regions")
        listed = node.data.get("regions")
        for i, region in enumerate(listed if isinstance(listed, list) else []):
            if isinstance(region, str) and region not in regions:
                yield Node((*node.path, "regions"), {}).problem(i, f"{region!r} is not among the regions")


def _times(root: Node) -> Iterator[str]:
    for node in _targets(root):
        interval = node.duration("interval") or (None if "interval" in node.data else DEFAULT_INTERVAL)
        timeout = node.duration("timeout")
        if interval is not None and interval < MIN_INTERVAL:
            yield node.problem("interval", f"{node.text('interval')!r} is shorter than 1s")
        if timeout is not None and timeout <= timedelta(0):
            yield node.problem("timeout", f"{node.text('timeout')!r} is no time at all")
        if interval is not None and timeout is not None and timeout > interval:
            every = format_duration(interval)
            yield node.problem("timeout", f"{node.text('timeout')!r} is longer than the interval of {every}")
    retention = root.inner("retention")
    for name in ("raw", "rollups"):
        kept = retention.duration(name)
        if kept is not None and kept < MIN_RETENTION:
            yield retention.problem(name, f"{retention.text(name)!r} is shorter than 1d")
    raw, rollups = retention.duration("raw") or DEFAULT_RETENTION, retention.duration("rollups")
    if rollups is not None and MIN_RETENTION <= rollups < raw:
        said = f"{retention.text('rollups')!r} is shorter than the {format_duration(raw)} of raw results"
        yield retention.problem("rollups", said)


def _country(root: Node) -> Iterator[str]:
    for node in root.under("regions"):
        country = node.text("country")
        if country is not None and not re.fullmatch(r"[A-Z]{2}", country):
            yield node.problem("country", f"{country!r} is not a country code of two capital letters")


def _addresses(root: Node) -> Iterator[str]:
    listen = root.inner("listen")
    places: dict[str, tuple[str, int]] = {}
    for name, default in DEFAULT_ADDRESSES.items():
        try:
            places[name] = split_address(listen.text(name) or default)
        except ValueError as error:
            yield listen.problem(name, str(error))
    if len(places) == 2 and _collide(places["agents"], places["web"]):
        yield listen.problem("web", f"port {places['web'][1]} is already taken by listen.agents")
    if "agents" in places and not is_loopback(places["agents"][0]) and not _is_guarded(listen):
        address = listen.text("agents")
        yield listen.problem(
            "agents",
            f"{address!r} is reachable from outside this machine and there is no listen.tls: tokens would "
            "travel in plaintext (listen.plaintext_beyond_loopback: true allows it)",
        )


def _collide(one: tuple[str, int], other: tuple[str, int]) -> bool:
    anywhere = {"0.0.0.0", "[::]", "::"}
    same_host = one[0] == other[0] or one[0] in anywhere or other[0] in anywhere
    return same_host and one[1] == other[1] != 0


def _is_guarded(listen: Node) -> bool:
    return bool(listen.data.get("tls")) or listen.data.get("plaintext_beyond_loopback") is True


def _places(root: Node) -> Iterator[str]:
    for name, find in (("store", stores.url_problem), ("registry", database.url_problem)):
        url = root.text(name)
        if url is not None and (said := find(url)):
            yield root.problem(name, said)


def _kinds(root: Node) -> Iterator[str]:
    for node in _targets(root):
        kind = node.text("kind")
        if kind is not None:
            settings = {key: value for key, value in node.data.items() if key not in COMMON_TARGET_KEYS}
            yield from kind_problems(kind, settings, node.path, COMMON_TARGET_KEYS)


def _notify(root: Node) -> Iterator[str]:
    services = {node.text("id") for node in _services(root)}
    regions = {node.text("id") for node in root.under("regions")}
    yield from notify_problems(root.data.get("notify"), services, regions, id_problem)


CHECKS: tuple[Callable[[Node], Iterable[str]], ...] = (
    _places,
    _addresses,
    _empty,
    _ids,
    _country,
    _repeated,
    _references,
    _times,
    _kinds,
    _notify,
)
"""Every check, in the order in which problems are reported."""
