"""The project file keeps its promises: every test is run by somebody, every pin is exact, clients stay light."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

#: Distributions that a client or a mock must never pull in.
HEAVY = {"polars", "pyarrow", "graphlay", "jinja2", "vl-convert-python"}


def names(requirements: list[str]) -> set[str]:
    """The distribution names of requirements, without extras and versions."""
    return {re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower() for requirement in requirements}


def test_every_folder_of_tests_is_run_by_make_test_or_by_make_acceptance():
    """A test in a folder that nobody runs would pass for ever."""
    folders = {path.parent.relative_to(ROOT).parts[:2] for path in (ROOT / "tests").rglob("test_*.py")}
    run = {*PROJECT["tool"]["pytest"]["ini_options"]["testpaths"], "tests/acceptance"}
    assert {"/".join(parts) for parts in folders} <= run


def test_every_constraint_is_one_exact_version():
    """Installing twice gives the same thing twice; no line names an address or a local file."""
    for file in ("constraints.txt", "tools/protos-constraints.txt"):
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        loose = [line for line in lines if not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)]
        assert loose == [], file


def test_everything_we_ask_for_is_pinned():
    """A dependency that pyproject.toml names and constraints.txt forgets would drift."""
    project = PROJECT["project"]
    asked = names(project["dependencies"]) | names(PROJECT["dependency-groups"]["dev"])
    for extra, requirements in project["optional-dependencies"].items():
        asked |= names(requirements) if extra != "all" else set()
    asked.discard(project["name"])  # an extra may be made of others
    pinned = names((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()[1:])

    def normal(found: set[str]) -> set[str]:
        return {name.replace("_", "-") for name in found}

    assert normal(asked) <= normal(pinned)


def test_clients_and_the_mock_install_no_mining_library():
    """Only the extra of the server's workers brings the mining stack along."""
    extras = PROJECT["project"]["optional-dependencies"]
    light = names(PROJECT["project"]["dependencies"] + extras["rest"] + extras["mock"])
    assert not light & HEAVY
    assert names(extras["mining"]) >= HEAVY
