"""A YAML file as plain data together with the line of every value, so that a mistake can be shown where it stands.

Instants stay texts; a key that is given twice is a mistake, not the last one wins.
"""

from typing import Any, TypeAlias

import yaml

Path: TypeAlias = tuple[str | int, ...]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unreadable(ValueError):
    """The file is no YAML that can be read; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class _Source(_Loader):  # type: ignore[misc]  # the C loader has no types
    """Reads instants as texts."""


_Source.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def read(text: str) -> tuple[Any, dict[Path, int]]:
    """The data and the line (from 1) of every path in it. Raises Unreadable."""
    loader = _Source(text)
    lines: dict[Path, int] = {}
    try:
        node = loader.get_single_node()
        return (_plain(loader, node, (), lines) if node else None), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(mark.line + 1 if mark else 1, error.problem or "not valid YAML") from None
    except yaml.YAMLError as error:
        raise Unreadable(1, str(error).splitlines()[0]) from None
    finally:
        loader.dispose()


def _plain(loader: Any, node: Any, path: Path, lines: dict[Path, int]) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, item, (*path, index), lines) for index, item in enumerate(node.value)]
    return loader.construct_object(node)


def _mapping(loader: Any, node: Any, path: Path, lines: dict[Path, int]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node))
        if key in out:
            raise Unreadable(key_node.start_mark.line + 1, f"the key {key!r} is given twice here; keep one of them")
        lines[(*path, key)] = key_node.start_mark.line + 1
        out[key] = _plain(loader, value_node, (*path, key), lines)
    return out
