"""What a person should know about a dataset that was just uploaded: its columns, cases, events, activities, variants
and time range, and its faults.

Runs in a process of its own at upload and loads the log as a run will load it: what it says is what a run will find.
Memory is bounded; temporary files, beside the dataset, take less room than the log itself.
"""

import tempfile
from pathlib import Path

import polars as pl

from lodestream_server.workloads.mining.loading import Loading, start
from lodestream_server.workloads.mining.summary import buckets, read_bucket
from lodestream_server.workloads.phase import DatasetFile, Json
from lodestream_server.workloads.rehearsal import Rehearsal


def describe(file: DatasetFile) -> Json:
    """format, size, mapping (what the upload could have given, found out), cases, events, activities, variants,
    timeRange {startTime, endTime}, columns [{name, type}], notes [text], dataQualityScore.

    Raises BadInput for a file that no run could use.
    """
    with tempfile.TemporaryDirectory(prefix="lodestream-describe-", dir=file.path.parent) as folder:
        quiet = Rehearsal(Path(folder), dataset=file)
        loading = start(quiet)
        results = loading.run()
        return {
            "format": file.format,
            "size": file.size_bytes,
            **{key: results[key] for key in ("mapping", "cases", "events", "activities")},
            "variants": _variants(quiet.out),
            "timeRange": results["timeRange"],
            "columns": _columns(loading),
            "notes": [line.text for line in quiet.warnings],
            "dataQualityScore": results["dataQualityScore"],
        }


def _variants(folder: Path) -> int:
    """Distinct sequences of activities, counted bucket by bucket; sequences are compared by two hashes of 64 bits."""
    seen: set[tuple[int, int]] = set()
    for bucket in buckets(folder):
        rows = read_bucket(bucket, ["case_id", "activity"])
        cases = rows.group_by("case_id", maintain_order=True).agg("activity")
        hashes = cases.select(one=pl.col("activity").hash(1), two=pl.col("activity").hash(2)).unique()
        seen.update(hashes.iter_rows())
    return len(seen)


def _columns(loading: Loading) -> list[dict[str, str]]:
    """All columns in the order of the file with their types, as the log has them."""
    roles, types = loading.roles, dict.fromkeys(loading.roles.used(), "string")
    types |= {name: "timestamp" for name in (roles.time, roles.start) if name}
    return [{"name": name, "type": types.get(name) or loading.type_of(name)} for name in loading.source.columns]
