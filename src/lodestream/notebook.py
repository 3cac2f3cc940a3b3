"""What a cell of a notebook job has at hand: the dataset, the parameters, results and files of earlier runs, and
`save` for what others shall find among the artifacts.

    from lodestream import notebook

    run = notebook.current()
    log = run.dataset.read()
    run.save("waiting_times.csv", name="Waiting times")

Needs nothing but the standard library; `Dataset.read` needs polars, which a server that mines has.
"""

import gzip
import importlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast
from xml.etree import ElementTree

#: Names the file that the server wrote for this notebook.
_RUN_FILE = "NOTEBOOK_RUN_FILE"
_LIST = "saved.jsonl"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A stored dataset. `format` is csv, xes, xes.gz or parquet; `mapping` holds what is known of the columns
    (caseIdColumn, activityNameColumn, activityTimeColumn …), and of a CSV its delimiter and encoding."""

    dataset_id: str
    name: str
    path: Path
    format: str
    size_bytes: int
    mapping: Mapping[str, str] = field(default_factory=dict)

    def read(self) -> Any:
        """The whole dataset as a polars DataFrame; of XES one row per event, with the attributes of its case in
        columns that begin with `case:`."""
        # By name: only notebooks need it, and this package promises to load without it.
        polars = importlib.import_module("polars")
        if self.format == "parquet":
            return polars.read_parquet(self.path)
        if self.format == "csv":
            return polars.read_csv(
                self.path,
                separator=self.mapping.get("delimiter") or ",",
                encoding=self.mapping.get("encoding") or "utf8",
                infer_schema_length=10_000,
                try_parse_dates=True,
            )
        return polars.from_dicts(list(self._events()), infer_schema_length=None)

    def _events(self) -> Iterator[dict[str, Any]]:
        with _opened(self.path, self.format == "xes.gz") as file:
            for _, element in ElementTree.iterparse(file):
                if _tag(element) == "trace":
                    case = {f"case:{name}": value for name, value in _attributes(element)}
                    for event in element:
                        if _tag(event) == "event":
                            yield case | dict(_attributes(event))
                    element.clear()


@dataclass(frozen=True, slots=True)
class Phase:
    """A finished phase of an earlier run: its results, and the folder of its files."""

    name: str
    results: Mapping[str, Any]
    folder: Path

    @property
    def files(self) -> list[Path]:
        """Its files, in order."""
        found = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        return [path for path in found if path != self.folder / "manifest.json"]


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A run that this one reads: one that a parameter names, or one that it depends on."""

    run_id: str
    kind: str
    type: str
    name: str
    parameters: Mapping[str, Any]
    phases: tuple[Phase, ...]

    def phase(self, name: str) -> Phase:
        """The phase of that name. Raises KeyError."""
        for one in self.phases:
            if one.name == name:
                return one
        raise KeyError(name)

    @property
    def files(self) -> list[Path]:
        """The files of all phases."""
        return [path for one in self.phases for path in one.files]


@dataclass(frozen=True, slots=True)
class Run:
    """The run that this notebook is. `dataset` is None when the job names none."""

    name: str
    parameters: Mapping[str, Any]
    dataset: Dataset | None
    datasets: Mapping[str, Dataset]
    sources: tuple[EarlierRun, ...]
    saved: Path

    def save(self, path: str | Path, *, name: str = "", description: str = "", type: str = "") -> None:
        """Makes a copy of a file as it is now an artifact of the run, published when the notebook has ended well.

        `type` is Report, Visualization, Dataset or Model; without it the file's ending decides. Raises
        FileNotFoundError.
        """
        source = Path(path)
        names = (source.name, *(f"{source.stem}-{number}{source.suffix}" for number in range(2, 10_000)))
        copy = next(self.saved / name for name in names if not (self.saved / name).exists())
        shutil.copyfile(source, copy)
        entry = {"file": copy.name, "name": name, "description": description, "type": type}
        with (self.saved / _LIST).open("a", encoding="utf-8") as listed:
            listed.write(json.dumps(entry) + "\n")


def current() -> Run:
    """The run that this notebook is. Raises RuntimeError outside of a notebook job."""
    try:
        told = json.loads(Path(os.environ[_RUN_FILE]).read_bytes())
    except (KeyError, OSError):
        raise RuntimeError("lodestream.notebook works in notebooks that a Lodestream server runs.") from None
    datasets = {name: _dataset(given) for name, given in told["datasets"].items()}
    return Run(
        name=told["name"],
        parameters=told["parameters"],
        dataset=_dataset(told["dataset"]) if told["dataset"] else None,
        datasets=datasets,
        sources=tuple(_source(given) for given in told["sources"]),
        saved=Path(told["saved"]),
    )


def _dataset(given: Mapping[str, Any]) -> Dataset:
    return Dataset(**{**given, "path": Path(given["path"])})


def _source(given: Mapping[str, Any]) -> EarlierRun:
    phases = tuple(Phase(one["name"], one["results"], Path(one["folder"])) for one in given["phases"])
    return EarlierRun(**{**given, "phases": phases})


def _opened(path: Path, compressed: bool) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if compressed else path.open("rb")


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _attributes(element: ElementTree.Element) -> Iterator[tuple[str, Any]]:
    for child in element:
        if "key" in child.attrib and "value" in child.attrib:
            read = _VALUES.get(_tag(child), str)
            yield child.attrib["key"], read(child.attrib["value"])


def _instant(text: str) -> datetime | None:
    """In UTC, which it is taken for without an offset; None for what is no instant."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        return None
    return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)


#: How the values of XES attributes are read, by their tags; all others are texts.
_VALUES: Mapping[str, Callable[[str], Any]] = {"int": int, "float": float, "date": _instant}
