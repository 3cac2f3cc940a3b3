"""Opens an event log in any of the formats, by the word that was settled at upload."""

from collections.abc import Mapping
from pathlib import Path

from lodestream_server.workloads.mining.read_csv import open_csv
from lodestream_server.workloads.mining.read_parquet import open_parquet
from lodestream_server.workloads.mining.read_xes import open_xes
from lodestream_server.workloads.mining.source import Source
from lodestream_server.workloads.mining.text_file import Check
from lodestream_server.workloads.phase import DatasetFile


def open_log(file: DatasetFile, mapping: Mapping[str, str], scratch: Path, check: Check) -> Source:
    """The opened log: counted, with a sample. Raises BadInput for a file that cannot be used."""
    match file.format:
        case "csv":
            return open_csv(file.path, mapping, scratch, check)
        case "xes" | "xes.gz":
            return open_xes(file.path, file.format, check)
        case "parquet":
            return open_parquet(file.path, check)
