"""What a form alone cannot say about `notify`: receivers, their kinds' settings, references, windows."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from faultline.problems import path_text, problems_of
from faultline_collector.notify.notifiers import NOTIFIERS, notifier_class, settings_of
from faultline_collector.notify.settings import ReceiverSettings

COMMON_KEYS = frozenset(ReceiverSettings.model_fields)

Node = tuple[tuple[int | str, ...], Mapping[str, Any]]


def notify_problems(
    data: object, services: set[str | None], regions: set[str | None], id_problem: Callable[[str], str]
) -> Iterator[str]:
    """Every problem of the part `notify`; `services` and `regions` are the ids that the file has."""
    if not isinstance(data, Mapping):
        return
    receivers = list(_under(data, "receivers"))
    yield from _receivers(receivers, id_problem)
    known: dict[str, set[Any]] = {
        "to": {name for _, node in receivers if isinstance(name := node.get("id"), str)},
        "services": set(services),
        "regions": set(regions),
    }
    for name in ("routes", "mutes"):
        for path, node in _under(data, name):
            yield from _unknown(path, node, known)
            if node.get("to") == []:
                yield f"{path_text((*path, 'to'))}: there must be at least one"
    for path, node in _under(data, "mutes"):
        yield from _window(path, node)


def _under(data: Mapping[str, Any], name: str) -> Iterator[Node]:
    listed = data.get(name)
    for i, node in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(node, Mapping):
            yield ("notify", name, i), node


def _receivers(receivers: list[Node], id_problem: Callable[[str], str]) -> Iterator[str]:
    seen: dict[str, tuple[int | str, ...]] = {}
    for path, node in receivers:
        name = node.get("id")
        if isinstance(name, str):
            if said := id_problem(name):
                yield f"{path_text((*path, 'id'))}: {said}"
            if name in seen:
                yield f"{path_text((*path, 'id'))}: {name!r} is already taken by {path_text(seen[name])}"
            seen.setdefault(name, path)
        yield from _kind(path, node)


def _kind(path: tuple[int | str, ...], node: Mapping[str, Any]) -> Iterator[str]:
    kind = node.get("kind")
    if not isinstance(kind, str):
        return
    if kind not in NOTIFIERS:
        yield f"{path_text((*path, 'kind'))}: {kind!r} is not one of {', '.join(NOTIFIERS)}"
        return
    try:
        settings_of(kind, {key: value for key, value in node.items() if key not in COMMON_KEYS})
    except ValidationError as error:
        yield from map(str, problems_of(error, notifier_class(kind).takes, path))


def _unknown(
    path: tuple[int | str, ...], node: Mapping[str, Any], known: Mapping[str, set[Any]]
) -> Iterator[str]:
    for name, ids in known.items():
        listed = node.get(name)
        what = "receivers" if name == "to" else name
        for i, one in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(one, str) and one not in ids:
                yield f"{path_text((*path, name, i))}: {one!r} is not among the {what}"


def _window(path: tuple[int | str, ...], node: Mapping[str, Any]) -> Iterator[str]:
    since, until = (_time(node.get(name)) for name in ("since", "until"))
    if since is not None and until is not None and until <= since:
        yield f"{path_text((*path, 'until'))}: {until.isoformat()} is not after {since.isoformat()}"


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return at if isinstance(at, datetime) and at.tzinfo is not None else None
