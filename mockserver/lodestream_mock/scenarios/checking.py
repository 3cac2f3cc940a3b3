"""What is wrong with a scenario file: every mistake with its line, its path and what to do.

First its form, by `scenario.schema.json`; then what a schema cannot say: references, spans of time, documented
examples. Called by `lodestream mock check`, and before a user's own file is played.
"""

import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from lodestream import documented
from lodestream_mock.scenarios.library import complete, names
from lodestream_mock.scenarios.spans import epoch_ms, milliseconds, span
from lodestream_mock.scenarios.yaml_source import Path, Unreadable, read


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake. `line` counts from 1; `path` is like "stories.my-job.phases[2].takes", "" for the whole file."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path + ': ' if self.path else ''}{self.message}"


def schema() -> dict[str, Any]:
    """The JSON Schema of scenario files, for editors and for the check of their form."""
    found: dict[str, Any] = json.loads(files(__package__).joinpath("scenario.schema.json").read_text(encoding="utf-8"))
    return found


def mistakes(text: str) -> list[Mistake]:
    """Everything wrong with the text of a scenario file, in the order of its lines; empty when it can be played."""
    try:
        data, lines = read(text)
    except Unreadable as error:
        return [Mistake(error.line, "", str(error))]
    found = list(_of_form(data)) or list(_of_sense(data))
    return sorted(
        (Mistake(_line(lines, path), path_text(path), message) for path, message in found),
        key=lambda m: (m.line, m.path),
    )


def path_text(path: Path) -> str:
    """A path as people write it: stories.my-job.phases[2]."""
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else part
    return out


def _line(lines: Mapping[Path, int], path: Path) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


@cache
def _validator() -> Any:
    import jsonschema_rs  # late: playing the scenarios that come with the mock does not need it

    return jsonschema_rs.validator_for(schema())


def _of_form(data: Any) -> Iterator[tuple[Path, str]]:
    for error in _validator().iter_errors(data):
        path: Path = tuple(error.instance_path)
        unexpected = getattr(error.kind, "unexpected", None)
        if unexpected:
            known = sorted(_properties(error.schema_path))
            for key in unexpected:
                near = difflib.get_close_matches(key, known, 1, 0.6)
                hint = f"did you mean {near[0]}? " if near else ""
                yield (*path, key), f"unknown key; {hint}known here: {', '.join(known)}"
        else:
            yield path, error.message


def _properties(schema_path: list[str | int]) -> Mapping[str, Any]:
    """The keys that the schema knows at the place of an additionalProperties error."""
    place: Any = schema()
    for part in schema_path[:-1]:
        place = place[part]
        if isinstance(place, dict) and "$ref" in place:
            place = _referred(place)
    found: Mapping[str, Any] = place.get("properties", {})
    return found


def _referred(place: dict[str, Any]) -> dict[str, Any]:
    target: Any = schema()
    for part in place["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    out: dict[str, Any] = {**place, **target}
    return out


def _of_sense(given: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Mistakes of the file's own parts, with what it takes over in view."""
    if "extends" in given and given["extends"] not in names():
        yield from _one_of(given["extends"], names(), ("extends",), "scenario")
        return
    try:
        data = complete(given)
    except KeyError as error:
        yield ("stories",), f"there is no story {error} to be like"
        return
    stories = data["stories"]
    yield from _value(epoch_ms, data["now"], ("now",))
    for key in given.get("stories", {}):
        missing = [name for name in ("kind", "name", "type", "created") if name not in stories[key]]
        if missing:
            yield ("stories", key), f"{', '.join(missing)} must be given"
        else:
            yield from _story(stories[key], ("stories", key), stories)
    seen: set[str] = set()
    for index, run in enumerate(data.get("runs", [])):
        path: Path = ("runs", index)
        yield from _one_of(run["story"], stories, (*path, "story"), "story")
        if run["id"] in seen:
            yield (*path, "id"), f"the id {run['id']} is given twice; every run has its own"
        if run.get("repeat", 1) > 1 and "{n}" not in run["id"]:
            yield (*path, "id"), "must hold {n} where repeat is given, so that every run has its own id"
        seen.add(run["id"])
        for name in ("age", "every"):
            yield from _value(milliseconds, run.get(name, "0s"), (*path, name))
    for kind, name in given.get("submit", {}).items():
        choices = data.get("batches", {}) if kind == "batch" else stories
        yield from _one_of(name, choices, ("submit", kind), "batch" if kind == "batch" else "story")
        if kind != "batch" and name in stories and stories[name]["kind"] != kind:
            yield ("submit", kind), f"the story {name} is of kind {stories[name]['kind']}, not {kind}"
    for key, batch in given.get("batches", {}).items():
        yield from _batch(batch, ("batches", key), stories)


def _story(story: Mapping[str, Any], path: Path, stories: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    yield from _value(epoch_ms, story["created"], (*path, "created"))
    for name in ("waits", "timeout"):
        yield from _value(milliseconds, story.get(name, "0s"), (*path, name))
    yield from _value(span, story.get("estimate", "0s"), (*path, "estimate"))
    if "onRetry" in story:
        yield from _one_of(story["onRetry"], stories, (*path, "onRetry"), "story")
    for name in ("logs", "timeline", "results"):
        if name in story:
            yield from _one_of(story[name], documented.names(), (*path, name), "documented example")
    if isinstance(story.get("artifacts"), str):
        yield from _one_of(story["artifacts"], documented.names(), (*path, "artifacts"), "documented example")
    if "cancelled" in story:
        yield from _value(milliseconds, story["cancelled"]["after"], (*path, "cancelled", "after"))
    for index, frame in enumerate(story.get("keyframes", [])):
        place: Path = (*path, "keyframes", index)
        yield from _value(milliseconds, frame["at"], (*place, "at"))
        for method, name in frame.get("answers", {}).items():
            yield from _one_of(name, documented.names(), (*place, "answers", method), "documented example")
    shares = [phase["share"] for phase in story.get("phases", []) if "share" in phase]
    if shares and (len(shares) != len(story["phases"]) or abs(sum(shares) - 100) > 0.01):
        yield (*path, "phases"), f"shares must stand on every phase and add up to 100; they give {sum(shares):g}"
    for index, phase in enumerate(story.get("phases", [])):
        yield from _phase(phase, (*path, "phases", index), last=index == len(story["phases"]) - 1)


def _phase(phase: Mapping[str, Any], path: Path, last: bool) -> Iterator[tuple[Path, str]]:
    wrong = list(_value(milliseconds, phase["takes"], (*path, "takes")))
    takes = 0 if wrong else milliseconds(phase["takes"])
    yield from wrong
    if "fails" in phase:
        yield from _within(phase["fails"]["after"], takes, (*path, "fails", "after"))
        if not last:
            yield (*path, "fails"), "only the last phase can fail: what comes after it would never begin"
    for index, line in enumerate(phase.get("says", [])):
        place: Path = (*path, "says", index)
        told = [name for name in ("log", "progress", "milestone", "warning", "error") if name in line]
        if len(told) != 1:
            yield place, "say one thing: log, progress, milestone, warning or error"
        if "log" in line and "message" not in line:
            yield place, "a log line needs its message"
        yield from _value(milliseconds, line.get("every", "0s"), (*place, "every"))
        yield from _within(line.get("at", "0s"), takes, (*place, "at"))


def _batch(batch: Mapping[str, Any], path: Path, stories: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    keys = [step["key"] for step in batch["steps"]]
    before: set[str] = set()
    for index, step in enumerate(batch["steps"]):
        place: Path = (*path, "steps", index)
        yield from _one_of(step["story"], stories, (*place, "story"), "story")
        if step["key"] in before:
            yield (*place, "key"), f"the key {step['key']} is given twice"
        for after in step.get("after", []):
            yield from _one_of(after, keys, (*place, "after"), "key of this batch")
            if after in keys and after not in before:
                yield (*place, "after"), f"{after} must stand before {step['key']}"
        before.add(step["key"])
    yield from _value(milliseconds, batch.get("age", "0s"), (*path, "age"))


def _within(text: str, takes: int, path: Path) -> Iterator[tuple[Path, str]]:
    wrong = list(_value(milliseconds, text, path))
    yield from wrong
    if not wrong and milliseconds(text) > takes:
        yield path, f"{text} lies beyond the end of the phase"


def _value(reads: Callable[[str], Any], text: str, path: Path) -> Iterator[tuple[Path, str]]:
    try:
        reads(text)
    except ValueError as error:
        yield path, str(error)


def _one_of(name: str, known: Any, path: Path, what: str) -> Iterator[tuple[Path, str]]:
    if name not in known:
        near = difflib.get_close_matches(name, list(known), 1, 0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        yield path, f"there is no {what} {name!r}; {hint}known: {', '.join(sorted(known)) or 'none'}"
