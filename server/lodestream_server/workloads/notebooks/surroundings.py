"""What a kernel finds around it: folders of its own, an environment without secrets, and what `lodestream.notebook`
gives to the cells."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lodestream_server.workloads.phase import DatasetFile, EarlierRun, Phase

#: Of the worker's own environment, which is a selection already.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "VIRTUAL_ENV", "PYTHONPATH", "LD_LIBRARY_PATH")
#: The file that `lodestream.notebook` reads.
RUN_FILE = "NOTEBOOK_RUN_FILE"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Folders inside the phase's scratch: `work` is where cells begin, `saved` what `save` gives out."""

    work: Path
    saved: Path
    environment: Mapping[str, str]


def surround(phase: Phase, variables: Mapping[str, Any]) -> Surroundings:
    """Makes the folders and writes down what the cells may know."""
    scratch = phase.scratch.resolve()
    home, work, saved, temporary = (scratch / name for name in ("home", "work", "saved", "tmp"))
    for folder in (home, work, saved, temporary):
        folder.mkdir(mode=0o700)
    run_file = scratch / "run.json"
    run_file.write_text(json.dumps(_told(phase, variables, saved)))
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {name: str(home) for name in ("HOME", "IPYTHONDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME")}
    environment |= {f"JUPYTER_{name}_DIR": str(home) for name in ("CONFIG", "DATA", "RUNTIME")}
    # ipykernel ends when this process does: what `kernel` arranges with the system, for systems other than Linux.
    environment["JPY_PARENT_PID"] = str(os.getpid())
    environment |= {"JUPYTER_NO_CONFIG": "1", "TMPDIR": str(temporary), RUN_FILE: str(run_file)}
    return Surroundings(work, saved, environment)


def _told(phase: Phase, variables: Mapping[str, Any], saved: Path) -> dict[str, Any]:
    return {
        "name": phase.run_name,
        "parameters": dict(variables),
        "dataset": _dataset(phase.dataset) if phase.dataset else None,
        "datasets": {name: _dataset(file) for name, file in phase.datasets.items()},
        "sources": [_source(run) for run in phase.sources],
        "saved": str(saved),
    }


def _dataset(file: DatasetFile) -> dict[str, Any]:
    return {**asdict(file), "path": str(file.path.resolve()), "mapping": dict(file.mapping)}


def _source(run: EarlierRun) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "kind": run.kind,
        "type": run.type,
        "name": run.name,
        "parameters": dict(run.parameters),
        "phases": [
            {"name": phase.name, "results": phase.results, "folder": str(phase.folder.resolve())}
            for phase in run.phases
        ],
    }
