"""The import contracts of pyproject.toml hold no empty promises: each one catches what it forbids."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: The packages of the design, as empty as they can be.
PACKAGES = (
    "lodestream",
    "lodestream/wire",
    "lodestream/rest",
    "lodestream/cli",
    "lodestream_mock",
    "lodestream_server",
    "lodestream_server/runs",
    "lodestream_server/engine",
    "lodestream_server/workloads",
    "lodestream_server/workloads/mining",
)


@pytest.fixture
def house(tmp_path):
    """Empty packages under our own contracts; `house(file, line)` puts one import in and gives the verdict."""
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)

    def verdict(file: str = "lodestream/nothing.py", line: str = "") -> subprocess.CompletedProcess[str]:
        (tmp_path / file).write_text(line)
        return subprocess.run(
            [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    return verdict


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("lodestream/nothing.py", ""),
        ("lodestream_server/app.py", "import lodestream.rest"),
        ("lodestream_mock/app.py", "import lodestream.rest"),
        ("lodestream/cli/facade.py", "import lodestream.rest"),
        ("lodestream_server/workloads/mining/discover.py", "import polars"),
        ("lodestream_server/engine/loop.py", "import asyncio, sqlite3"),
    ],
)
def test_what_the_design_allows_passes(house, file, line):
    """The contracts stand in nobody's way."""
    done = house(file, line)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("lodestream_server/app.py", "import lodestream_mock", "never import each other"),
        ("lodestream_mock/replay.py", "import lodestream_server", "never import each other"),
        ("lodestream/client.py", "import lodestream_server", "imports no server"),
        ("lodestream_server/engine/loop.py", "import lodestream.rest", "composition roots"),
        ("lodestream/wire/codec.py", "import asyncio", "are pure"),
        ("lodestream_server/runs/fold.py", "import grpc", "are pure"),
        ("lodestream_server/engine/loop.py", "import polars", "Mining, report and notebook"),
        ("lodestream_server/engine/loop.py", "def late():\n    import pyarrow", "Mining, report and notebook"),
        ("lodestream_server/engine/loop.py", "import lodestream_server.workloads.mining", "loaded by name"),
    ],
)
def test_what_the_design_forbids_is_caught_by_the_contract_that_says_so(house, file, line, contract):
    """One offending import breaks the contract that names it."""
    done = house(file, line)
    broken = [text for text in done.stdout.splitlines() if text.endswith("BROKEN")]
    assert done.returncode == 1
    assert any(contract in text for text in broken), done.stdout
