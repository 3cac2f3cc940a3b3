"""`lodestream protos DIR`: the contract for the generators of other languages."""

import re
import shutil
from collections.abc import Iterator
from functools import reduce
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from lodestream.cli.output import note, print_line
from lodestream.cli.session import help_text

_IMPORT = re.compile(r'^import\s+(?:public\s+)?"([^"]+)";', re.MULTILINE)
#: Not imported by the contract, but needed to read the details of errors.
_ERRORS = ("google/rpc/status.proto", "google/rpc/error_details.proto")
#: Every compiler of protocol buffers brings these along.
_BUNDLED = "google/protobuf/"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("protos", rich_help_panel="Server", help=help_text(protos, "lodestream protos build/protos"))(protos)


def protos(directory: Annotated[Path, typer.Argument(metavar="DIR", help="Made when it is missing.")]) -> None:
    """Write the .proto files, for clients in other languages.

    With the google ones that they import (and google/rpc, for the details of errors); google/protobuf comes with every
    compiler. DIR is the import path to give to it.
    """
    written = write_protos(directory)
    for name in written:
        print_line(name)
    note(f"{len(written)} files in {directory}; give it to the compiler as import path: protoc -I {directory} …")


def write_protos(directory: Path) -> list[str]:
    """Writes the contract and what it imports below a folder; returns the import paths, sorted."""
    waiting = [*(f"lodestream/v1/{name}" for name in _contract_files()), *_ERRORS]
    done: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in done or name.startswith(_BUNDLED):
            continue
        source, target = _find(name), directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as read, target.open("wb") as write:
            shutil.copyfileobj(read, write)
        done.add(name)
        waiting += _IMPORT.findall(source.read_text(encoding="utf-8"))
    return sorted(done)


def _contract_files() -> Iterator[str]:
    for entry in _contract_folder("lodestream/v1").iterdir():
        if entry.name.endswith(".proto"):
            yield entry.name


def _find(name: str) -> Traversable:
    folder, _, file = name.rpartition("/")
    found = _contract_folder(folder) if name.startswith("lodestream/") else files(folder.replace("/", "."))
    return found.joinpath(file)


def _contract_folder(folder: str) -> Traversable:
    """A folder of the protos in the wheel, or in the checkout that is installed in its place."""
    packed = files("lodestream").joinpath("protos")
    root = packed if packed.is_dir() else Path(__file__).resolve().parents[3] / "protos"
    return reduce(lambda found, part: found.joinpath(part), folder.split("/"), root)
