"""Plain data of a scenario file -> `Scenario`, in one language.

The data has passed `checking`; nothing is checked twice here. A text may be one string, or `{en: ..., tr: ...}`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from lodestream import documented
from lodestream.wire.amounts import size_bytes
from lodestream_mock.scenarios.script import phases as phases_of
from lodestream_mock.scenarios.script import text, told
from lodestream_mock.scenarios.spans import epoch_ms, milliseconds, span
from lodestream_mock.scenarios.story import (
    NOTHING,
    ArtifactStory,
    BatchStory,
    Keyframe,
    RunThere,
    Scenario,
    Step,
    Story,
    Usage,
)

_OUTPUT_TYPES = {
    "ProcessMiningReport": "Report",
    "EnrichedDataset": "Dataset",
    "ProcessMap": "Visualization",
    "AnalyticsModel": "Model",
}


def scenario_of(data: Mapping[str, Any], language: str) -> Scenario:
    """The scenario of a file's data."""
    reader = _Reader(language)
    stories = {key: reader.story(key, story) for key, story in data.get("stories", {}).items()}
    return Scenario(
        name=data["scenario"],
        title=reader.text(data["title"]),
        language=language,
        description=reader.text(data.get("description", "")).strip(),
        now=epoch_ms(data["now"]),
        clock=data.get("clock", "frozen"),
        pinned=data.get("pinned", False),
        workers=data.get("workers", 4),
        stories=stories,
        runs=tuple(_runs(data.get("runs", []))),
        batches=tuple(reader.batch(key, batch) for key, batch in data.get("batches", {}).items()),
        submit=data.get("submit", {}),
    )


def _runs(entries: list[dict[str, Any]]) -> Iterator[RunThere]:
    """`repeat` makes many runs of an entry, each `every` younger than the one before; `{n}` in the id is its number."""
    for entry in entries:
        count, every = entry.get("repeat", 1), milliseconds(entry.get("every", "0s"))
        age = milliseconds(entry.get("age", "0s"))
        for n in range(1, count + 1):
            run_id = entry["id"].replace("{n}", f"{n:012d}")
            name = entry.get("name", "").replace("{n}", str(n))
            yield RunThere(run_id, entry["story"], max(0, age - (n - 1) * every), name)


class _Reader:
    def __init__(self, language: str) -> None:
        self.language = language

    def text(self, value: Any) -> str:
        return text(value, self.language)

    def story(self, key: str, data: Mapping[str, Any]) -> Story:
        created, waits = epoch_ms(data["created"]), milliseconds(data.get("waits", "0s"))
        phases, happenings = phases_of(data.get("phases", []), waits, self.language)
        cancel = data.get("cancelled")
        optional = {name: data[name] for name in ("priority", "worker", "resource") if name in data}
        return Story(
            key=key,
            kind=data["kind"],
            name=self.text(data["name"]),
            type=data["type"],
            created=created,
            description=self.text(data.get("description", "")),
            submitted_by=data.get("submittedBy", "user123"),
            execution_id=data.get("executionId", ""),
            waits=waits,
            timeout=milliseconds(data.get("timeout", "2h")),
            estimate=span(data["estimate"]) if "estimate" in data else None,
            cpu_units=data.get("cpuUnits", 2),
            memory_gb=data.get("memoryGB", 4),
            phases=phases,
            told=(*happenings, *told(data, created, self.language)),
            usage=tuple(
                Usage(
                    milliseconds(entry["at"]),
                    entry["cpu"],
                    size_bytes(entry["memory"]),
                    entry.get("rate", 0.0),
                    self.text(entry.get("stage", "")),
                )
                for entry in data.get("usage", [])
            ),
            artifacts=self.artifacts(data.get("artifacts", [])),
            results=data.get("results", ""),
            cancel=(milliseconds(cancel["after"]), cancel["by"], self.text(cancel["reason"])) if cancel else None,
            keyframes=tuple(
                Keyframe(milliseconds(entry["at"]), entry.get("answers", NOTHING))
                for entry in data.get("keyframes", [])
            ),
            on_retry=data.get("onRetry", ""),
            prerequisites=tuple(data.get("prerequisites", [])),
            **optional,
        )

    def artifacts(self, data: Any) -> tuple[ArtifactStory, ...]:
        """Listed ones, or those of a documented result; their file name is their id."""
        if isinstance(data, str):
            return tuple(self.documented_artifacts(data))
        return tuple(
            ArtifactStory(
                entry["file"],
                self.text(entry["name"]),
                entry["type"],
                entry["format"],
                self.text(entry.get("description", "")),
                entry.get("kind", ""),
            )
            for entry in data
        )

    def documented_artifacts(self, name: str) -> Iterator[ArtifactStory]:
        payload = documented.example(name, self.language)
        outputs = payload.get("results", {})
        for entry in payload.get("artifacts", []):
            file = entry["downloadUrl"].rsplit("/", 1)[1]
            yield ArtifactStory(file, entry["name"], entry["type"], entry["format"], entry["description"])
        for entry in [outputs["primaryOutput"], *outputs["additionalOutputs"]] if outputs else []:
            file, kind = entry["downloadUrl"].rsplit("/", 1)[1], entry["type"]
            yield ArtifactStory(file, entry["title"], _OUTPUT_TYPES[kind], entry["format"], kind=kind)

    def batch(self, key: str, data: Mapping[str, Any]) -> BatchStory:
        steps = (
            Step(step["key"], step["story"], step.get("id", ""), tuple(step.get("after", []))) for step in data["steps"]
        )
        return BatchStory(
            key=key,
            name=self.text(data["name"]),
            steps=tuple(steps),
            description=self.text(data.get("description", "")),
            batch_id=data.get("id", ""),
            age=milliseconds(data.get("age", "0s")),
        )
