"""What a finished phase leaves behind: a folder with its files and a manifest, there whole or not at all.

A phase is kept when its manifest fits: same inputs (the dataset and all earlier phases), same values of the
parameters it read, same function and version, and every file there with its size and hash.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from lodestream_server.runs.bodies import ArtifactStored, Json
from lodestream_server.runs.codec import dump, load

MANIFEST = "manifest.json"
_ALL = "*"


class Parameters(Mapping[str, Any]):
    """The run's parameters, taking note of which are read: only those decide whether a checkpoint still fits."""

    def __init__(self, values: Json) -> None:
        self._values = values
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return self._values[key]

    def __contains__(self, key: object) -> bool:
        self.read.add(str(key))
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        self.read.add(_ALL)
        return iter(self._values)

    def __len__(self) -> int:
        self.read.add(_ALL)
        return len(self._values)

    def prints(self, keys: Sequence[str]) -> dict[str, str]:
        """A fingerprint per key; an absent key has one too."""
        return {key: fingerprint(self._values if key == _ALL else self._values.get(key)) for key in sorted(keys)}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the phase, by its path inside the folder."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a phase was made from and what it left. `parameters` has a fingerprint for every parameter it read."""

    phase: str
    function: str
    version: int
    program: str
    inputs: str
    parameters: Mapping[str, str]
    files: tuple[StoredFile, ...]
    results: Json
    duration_s: float
    artifacts: tuple[ArtifactStored, ...] = ()
    records: int | None = None

    def digest(self) -> str:
        """What later phases depend on: content, not how long it took."""
        return fingerprint(
            [self.phase, self.inputs, dict(self.parameters), [f.sha256 for f in self.files], self.results]
        )

    def fits(self, other_function: str, version: int, inputs: str, parameters: Parameters) -> bool:
        """Whether running the phase again would start from the same."""
        same = (self.function, self.version, self.inputs) == (other_function, version, inputs)
        return same and dict(self.parameters) == parameters.prints(list(self.parameters))


def fingerprint(value: Any) -> str:
    """SHA-256 of the value as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def folder_name(order: int, phase: str) -> str:
    """`03-performance-analysis`: sorts in order, safe on every file system."""
    return f"{order:02}-{re.sub(r'[^a-z0-9]+', '-', phase.lower()).strip('-')}"


def inventory(folder: Path) -> tuple[StoredFile, ...]:
    """Every file in the folder but the manifest, with size and hash, durable."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / MANIFEST)
    return tuple(inspect(folder, path) for path in found)


def inspect(folder: Path, path: Path) -> StoredFile:
    """Size and hash of a file in the folder, and the file durable."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    return StoredFile(path.relative_to(folder).as_posix(), path.stat().st_size, _sha256(path))


def commit(partial: Path, final: Path, manifest: Manifest) -> None:
    """Writes the manifest and gives the folder its name; an older folder of that name goes away first."""
    with open(partial / MANIFEST, "wb") as file:
        file.write(dump(manifest))
        file.flush()
        os.fsync(file.fileno())
    for folder in [partial, *(path for path in partial.rglob("*") if path.is_dir())]:
        _sync(folder)
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    _sync(final.parent)


def kept(final: Path) -> Manifest | None:
    """The manifest of a phase whose files are all there unharmed; None otherwise."""
    manifest = told(final)
    whole = manifest is not None and all(_unharmed(final, stored) for stored in manifest.files)
    return manifest if whole else None


def told(final: Path) -> Manifest | None:
    """What the folder's manifest says, whatever became of the files; None without one that can be read."""
    try:
        return load(Manifest, (final / MANIFEST).read_bytes())
    except (OSError, ValueError, orjson.JSONDecodeError):
        return None


def origin(sha256: str, format_: str, mapping: Mapping[str, str], others: Sequence[str] = ()) -> str:
    """What the first phase depends on: the dataset's content and how it is read (no content: the run names none), and
    the fingerprints of its other inputs."""
    dataset = [sha256, format_, dict(mapping)] if sha256 else None
    return fingerprint([dataset, list(others)] if others else dataset)


def chained(links: Sequence[str]) -> str:
    """The inputs of the phase after these: the origin and the digests of all phases before it."""
    return fingerprint(list(links))


def artifact_id(run_id: str, phase: str, path: str) -> str:
    """From what it is, so that a phase that is kept or run again names the same file alike; `path` is inside the
    run's folder."""
    return f"art-{hashlib.sha256(f'{run_id}/{phase}/{path}'.encode()).hexdigest()[:32]}"


def _unharmed(folder: Path, stored: StoredFile) -> bool:
    path = folder / stored.path
    try:
        return path.stat().st_size == stored.size_bytes and _sha256(path) == stored.sha256
    except OSError:
        return False


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
