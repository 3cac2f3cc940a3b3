"""Files that cells gave out with `lodestream.notebook.save`: moved out of the kernel's reach and published."""

import json
from pathlib import Path
from typing import Any, Final, get_args

from lodestream_server.workloads.phase import ArtifactType, Phase

#: More is a loop that went wrong.
MOST_FILES = 200
_LIST = "saved.jsonl"
_TYPES: Final[dict[str, ArtifactType]] = {
    ".html": "Report",
    ".pdf": "Report",
    ".md": "Report",
    ".txt": "Report",
    ".png": "Visualization",
    ".svg": "Visualization",
    ".jpg": "Visualization",
    ".pkl": "Model",
    ".joblib": "Model",
    ".onnx": "Model",
    ".pnml": "Model",
    ".bpmn": "Model",
}


def publish(phase: Phase, folder: Path) -> list[str]:
    """Publishes what is listed in the folder, in order; the names. What is no plain file there is left out with a
    warning."""
    names: list[str] = []
    for entry in _entries(phase, folder):
        found = folder / Path(str(entry.get("file"))).name
        if found.is_symlink() or not found.is_file():
            phase.warn(f"{found.name} was saved by the notebook, but is no file.")
            continue
        home = phase.out / "saved" / found.name
        home.parent.mkdir(exist_ok=True)
        found.replace(home)
        name = str(entry.get("name") or home.name)[:200]
        phase.artifact(
            home,
            name=name,
            type=_type(entry.get("type"), home),
            kind="NotebookOutput",
            description=str(entry.get("description") or "Saved by the notebook.")[:1000],
        )
        names.append(name)
    return names


def _entries(phase: Phase, folder: Path) -> list[dict[str, Any]]:
    listed = folder / _LIST
    lines = listed.read_text(errors="replace").splitlines() if listed.is_file() else []
    if len(lines) > MOST_FILES:
        phase.warn(f"The notebook saved {len(lines)} files; the first {MOST_FILES} are published.")
    entries: list[dict[str, Any]] = []
    for line in lines[:MOST_FILES]:
        try:
            entry = json.loads(line)
        except ValueError:  # a cell wrote into the list by hand
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries


def _type(asked: Any, path: Path) -> ArtifactType:
    if asked in get_args(ArtifactType):
        word: ArtifactType = asked
        return word
    return _TYPES.get(path.suffix.lower(), "Dataset")
