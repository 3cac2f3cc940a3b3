"""The scenario files that come with the mock, and how one file builds on another.

`extends` takes over stories, batches and submissions of a scenario that comes with the mock; `like` takes over the keys
of another story.
"""

import difflib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from lodestream_mock.scenarios.yaml_source import read


class UnknownScenario(ValueError):
    """There is no scenario of that name."""


def names() -> list[str]:
    """The scenarios that come with the mock, sorted."""
    folder = files(__package__).joinpath("stories")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def source(name: str) -> str:
    """The text of a scenario: one that comes with the mock, or a file (a name that ends in .yaml or .yml).

    Raises UnknownScenario, naming the nearest ones.
    """
    if name.endswith((".yaml", ".yml")):
        try:
            return Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UnknownScenario(f"the scenario file {name} cannot be read: {reason}") from None
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1, 0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UnknownScenario(
            f"no scenario is called {name!r}: {hint}there are {', '.join(known)}; own files end in .yaml"
        )
    return files(__package__).joinpath("stories", f"{name}.yaml").read_text(encoding="utf-8")


@cache
def _data(name: str) -> Any:
    return read(source(name))[0]


def complete(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a file with everything that it takes over. Raises UnknownScenario for an unknown `extends`, KeyError
    for an unknown `like`."""
    base = complete(_data(data["extends"])) if "extends" in data else {}
    out = {**data}
    for part in ("stories", "batches", "submit"):
        out[part] = {**base.get(part, {}), **data.get(part, {})}
    out["stories"] = {key: _like(out["stories"], story) for key, story in out["stories"].items()}
    return out


def _like(stories: Mapping[str, Any], story: Mapping[str, Any], depth: int = 10) -> dict[str, Any]:
    if "like" not in story or not depth:
        return {key: value for key, value in story.items() if key != "like"}
    own = {key: value for key, value in story.items() if key != "like"}
    return {**_like(stories, stories[story["like"]], depth - 1), **own}
