"""The contender of the mining bench: loading, discovery and performance analysis, as a worker runs them.

`python -m tools.bench._mine FILE`. Results are written to a temporary folder and dropped.
"""

import sys
import tempfile
from pathlib import Path

from lodestream_server.workloads.mining.loading import load
from lodestream_server.workloads.mining.modelling import discover_process
from lodestream_server.workloads.mining.performance import analyse
from lodestream_server.workloads.phase import DatasetFile, Finished
from lodestream_server.workloads.rehearsal import Rehearsal

#: The smallest allocation of the demo's worker; the aim of the bench is a peak below it.
MEMORY_BYTES = 1_000_000_000


def mine(path: Path) -> None:
    """The three phases, one after the other, each reading what the one before left."""
    dataset = DatasetFile(
        "bench", path.name, path, "parquet" if path.suffix == ".parquet" else "csv", path.stat().st_size
    )
    earlier: dict[str, Finished] = {}
    with tempfile.TemporaryDirectory(prefix="lodestream-bench-") as folder:
        for name, phase in {
            "Data Loading": load,
            "Process Discovery": discover_process,
            "Performance Analysis": analyse,
        }.items():
            stage = Rehearsal(
                Path(folder) / name.replace(" ", "-"),
                dataset,
                name=name,
                memory_bytes=MEMORY_BYTES,
                earlier=dict(earlier),
            )
            earlier[name] = stage.run(phase)


if __name__ == "__main__":
    mine(Path(sys.argv[1]))
