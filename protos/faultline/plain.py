"""YAML as plain data, without its traps; apart, since most commands read none and PyYAML takes its time."""

from typing import Any

import yaml


class NotPlain(Exception):
    """Raised when text cannot be read as plain data; its text is one sentence."""


def plain(text: str) -> object:
    """What YAML text says, nothing as no settings; raises NotPlain."""
    try:
        data = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise NotPlain(_problem(error)) from error
    except RecursionError as error:
        raise NotPlain("not YAML that can be read: it is nested too deep") from error
    return {} if data is None else data


_KEYS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")


class _Loader(yaml.SafeLoader):
    """YAML without its traps.

    A key that comes twice, or is not text, is refused, and only true and false are booleans.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012  PyYAML's own attribute
        first: [(tag, form) for tag, form in forms if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node; raises ConstructorError also where Python has no such value."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, AttributeError) as error:
            said = f"{str(node.value)[:40]!r} is no {node.tag.rpartition(':')[2]}; in quotes it is text"
            raise yaml.constructor.ConstructorError(None, None, said, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node; raises ConstructorError where a key comes twice."""
        seen = set()
        for key, _ in node.value:
            if key.tag not in _KEYS:
                raise _refused_key(key, "is not text; in quotes it is")
            if key.value in seen:
                raise _refused_key(key, "comes twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _refused_key(node: yaml.Node, said: str) -> yaml.YAMLError:
    key = f"the key {node.value!r}" if isinstance(node, yaml.ScalarNode) else "a key"
    return yaml.constructor.ConstructorError(None, None, f"{key} {said}", node.start_mark)


def _problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "cannot be understood"
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    return f"{where}{'' if isinstance(error, yaml.constructor.ConstructorError) else 'not YAML: '}{problem}"
