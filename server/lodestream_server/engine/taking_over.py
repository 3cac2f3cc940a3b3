"""What a new run can take over from the one it retries: finished phases whose inputs and parameters are unchanged.

Checkpoints are never written to again, so the new run's folder gets hard links. The worker decides in the end, by the
same rule and with every file's hash; here only the manifests are read.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lodestream_server.runs.bodies import Json
from lodestream_server.store.files import no_space, sync_folder
from lodestream_server.worker import checkpoint
from lodestream_server.worker.checkpoint import Manifest, Parameters
from lodestream_server.workloads.catalogue import PhaseSpec


@dataclass(frozen=True, slots=True)
class Kept:
    """Phases that will not run again, in order; their records and their share of the whole in percent."""

    phases: tuple[str, ...] = ()
    records: int = 0
    percent: float = 0.0


def foresee(folder: Path, phases: Sequence[PhaseSpec], parameters: Json, origin: str) -> Kept:
    """What a run with these parameters will find done in the folder. Blocks; reads manifests only."""
    chain, kept = [origin], list[Manifest]()
    for number, phase in enumerate(phases, start=1):
        manifest = checkpoint.told(_place(folder, number, phase))
        inputs = checkpoint.chained(chain)
        if manifest is None or not manifest.fits(phase.function, phase.version, inputs, Parameters(parameters)):
            break
        chain.append(manifest.digest())
        kept.append(manifest)
    names = tuple(manifest.phase for manifest in kept)
    whole = sum(phase.weight for phase in phases)
    saved = sum(phase.weight for phase in phases if phase.name in names)
    records = max((manifest.records or 0 for manifest in kept), default=0)
    return Kept(names, records, round(100 * saved / whole, 1) if whole else 0.0)


def link(origin: Path, folder: Path, phases: Sequence[PhaseSpec]) -> None:
    """Gives the new run's folder every finished phase of the origin's. Blocks. Raises DiskFull, OSError."""
    with no_space():
        for number, phase in enumerate(phases, start=1):
            source = _place(origin, number, phase)
            if checkpoint.told(source) is not None:
                target = _place(folder, number, phase)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copytree(source, target, copy_function=_link)
                sync_folder(target.parent)


def _place(folder: Path, number: int, phase: PhaseSpec) -> Path:
    return folder / "phases" / checkpoint.folder_name(number, phase.name)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)
