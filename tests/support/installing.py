"""Packages installed into a folder without pip and without a network: the files, and the metadata that their entry
points are found by."""

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path


def install_project(project: Path, folder: Path) -> Path:
    """What `pip install --target` makes of a project: its packages, and what its pyproject.toml declares."""
    declared = tomllib.loads((project / "pyproject.toml").read_text())
    for package in declared["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        shutil.copytree(project / package, folder / package)
    about = declared["project"]
    return note(folder, about["name"], about["version"], about["entry-points"])


def install_module(folder: Path, name: str, source: str, entry_points: Mapping[str, Mapping[str, str]]) -> Path:
    """A package of one module with this source."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(source)
    return note(folder, name, "1.0", entry_points)


def note(folder: Path, name: str, version: str, entry_points: Mapping[str, Mapping[str, str]]) -> Path:
    """Writes the metadata; the folder."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = [
        "\n".join([f"[{group}]", *(f"{key} = {value}" for key, value in points.items())])
        for group, points in entry_points.items()
    ]
    (info / "entry_points.txt").write_text("\n\n".join(groups) + "\n")
    return folder
