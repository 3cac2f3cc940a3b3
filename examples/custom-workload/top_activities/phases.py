"""The phases: plain functions from `Phase` to a dictionary of results, run in a worker process."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from html import escape
from typing import TextIO

from lodestream_server.workloads.own import BadInput, Json, Phase

#: Between two looks whether the run is to stop: some ten milliseconds of work.
ROWS_A_LOOK = 10_000
TOP = 10


def count(phase: Phase) -> Json:
    """Counts every activity of the log. What it returns and writes to `phase.out` is the phase's checkpoint: a run
    that is taken up again, or retried, begins behind it."""
    dataset = phase.dataset
    if dataset is None or dataset.format != "csv":
        raise BadInput("The dataset is no CSV file: upload the event log as CSV.")
    counts: Counter[str] = Counter()
    rows = 0
    with dataset.path.open(newline="", encoding=dataset.mapping.get("encoding") or "utf-8-sig") as file:
        for rows, activity in enumerate(_activities(phase, file), start=1):
            counts[activity] += 1
            if rows % ROWS_A_LOOK == 0:
                phase.progress(rows, activity="counting")
                phase.metrics(activities=len(counts))
    phase.progress(rows, rows)
    phase.log("INFO", f"{rows} rows have {len(counts)} activities", rows=rows)
    if empty := counts.pop("", 0):
        phase.warn(f"{empty} rows have no activity", rows=empty)
    (phase.out / "counts.json").write_text(json.dumps(counts.most_common()))
    return {"rows": rows, "activities": len(counts)}


def report(phase: Phase) -> Json:
    """Writes the page. It alone reads `top`: a retry with another value takes the counting over."""
    counts = json.loads((phase.before("Counting").folder / "counts.json").read_text())
    shown = counts[: int(phase.parameters.get("top", TOP))]
    most = shown[0][1] if shown else 1
    bars = "".join(_BAR.format(name=escape(name), share=number / most, number=number) for name, number in shown)
    path = phase.out / "top-activities.html"
    path.write_text(_PAGE.format(title=escape(phase.run_name), bars=bars), encoding="utf-8")
    phase.artifact(path, name="Top activities", type="Report", kind="TopActivities", records=len(shown))
    if shown:
        phase.milestone(f'"{shown[0][0]}" is the most frequent activity', times=shown[0][1])
    phase.progress(len(shown), len(shown))
    return {"top": [{"activity": name, "rows": number} for name, number in shown]}


def _activities(phase: Phase, file: TextIO) -> Iterator[str]:
    assert phase.dataset is not None
    rows = csv.DictReader(file, delimiter=phase.dataset.mapping.get("delimiter") or ",")
    column = str(phase.parameters["activityColumn"])
    if column not in (rows.fieldnames or ()):
        there = ", ".join(rows.fieldnames or ())
        raise BadInput(f'There is no column "{column}"; the file has {there}.', reason="MISSING_COLUMN", column=column)
    return (row[column] or "" for row in rows)


_BAR = '<tr><th>{name}</th><td><div style="width:{share:.1%}"></div></td><td>{number:,}</td></tr>'
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px system-ui, sans-serif; margin: 40px auto; max-width: 760px; color: #1f2933; }}
table {{ width: 100%; border-spacing: 10px 6px; }} th {{ text-align: right; font-weight: 500; white-space: nowrap; }}
td:nth-child(2) {{ width: 60%; }} td div {{ background: #2f6fab; height: 16px; border-radius: 2px; }}
</style></head><body><h1>{title}</h1><table>{bars}</table></body></html>
"""
