"""Mining against a bare polars script on the same file, in turn: time and peak memory, and how both grow.

`python -m tools.bench.mining [--json] [--events N ...] [--rounds N]`. Ours validates every row, writes the log as
Parquet, counts duplicates, computes cycle and waiting times and could be stopped and resumed at any bucket; the script
only loads, counts directly-follows pairs and variants, in memory. The aim at 5M events: at most 2x its time, at most
1 GB.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tools.bench._processes import in_turn

SIZES = (100_000, 1_000_000, 5_000_000)
#: Mean length of a case in the generated log.
EVENTS_A_CASE = 10
ACTIVITIES = tuple(f"Step {number:02}" for number in range(24))


@dataclass(frozen=True, slots=True)
class Row:
    """One file: medians of both contenders."""

    events: int
    format: str
    file_mb: float
    ours_s: float
    bare_s: float
    ratio: float
    ours_peak_mb: float
    bare_peak_mb: float


def write_csv(path: Path, events: int, seed: int = 7) -> None:
    """An event log of so many events, cases interleaved by time as systems write them; same seed, same bytes."""
    dice = random.Random(seed)
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    open_cases: list[list[int]] = []
    born = 0
    with path.open("w", encoding="utf-8") as file:
        file.write("case_id,activity,timestamp,resource,amount\n")
        for number in range(events):
            if len(open_cases) < 2_000:
                open_cases.append([born, 0])
                born += 1
            place = dice.randrange(len(open_cases))
            case, step = open_cases[place]
            activity = ACTIVITIES[min(step + (dice.random() < 0.15), len(ACTIVITIES) - 1)]
            at = begin + timedelta(seconds=number * 2)
            file.write(f"C{case},{activity},{at:%Y-%m-%dT%H:%M:%SZ},R{dice.randrange(40)},{dice.randrange(10_000)}\n")
            open_cases[place][1] += 1
            if dice.random() < 1 / EVENTS_A_CASE or step + 1 == len(ACTIVITIES):
                open_cases[place] = open_cases[-1]
                open_cases.pop()


def write_parquet(csv: Path, path: Path) -> None:
    """The same log as Parquet."""
    import polars as pl

    pl.scan_csv(csv).with_columns(pl.col("timestamp").str.to_datetime(time_zone="UTC")).sink_parquet(path)


def measure(sizes: Sequence[int], rounds: int) -> list[Row]:
    """A row per size and format."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="lodestream-bench-") as folder:
        for events in sizes:
            csv, parquet = Path(folder) / "log.csv", Path(folder) / "log.parquet"
            write_csv(csv, events)
            write_parquet(csv, parquet)
            rows += [_compare(path, events, rounds) for path in (csv, parquet)]
    return rows


def _compare(path: Path, events: int, rounds: int) -> Row:
    contenders = {
        "ours": ["-m", "tools.bench._mine", str(path)],
        "bare": ["-m", "tools.bench._bare_polars", str(path)],
    }
    costs = in_turn(contenders, rounds)
    ours, bare = costs["ours"], costs["bare"]
    size = round(path.stat().st_size / 1e6, 1)
    ratio = round(ours.seconds / bare.seconds, 2)
    return Row(events, path.suffix[1:], size, ours.seconds, bare.seconds, ratio, ours.peak_mb, bare.peak_mb)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the comparison."""
    parser = argparse.ArgumentParser(description="Mining against a bare polars script.")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--events", type=int, nargs="+", default=list(SIZES), help="sizes of the generated logs")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender")
    options = parser.parse_args(arguments)
    rows = measure(options.events, options.rounds)
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print(
        f"{'events':>10} {'format':8}{'file MB':>9}{'ours s':>9}{'bare s':>9}{'ratio':>7}{'ours MB':>9}{'bare MB':>9}"
    )
    for row in rows:
        print(
            f"{row.events:>10,} {row.format:8}{row.file_mb:>9}{row.ours_s:>9}{row.bare_s:>9}{row.ratio:>7}"
            f"{row.ours_peak_mb:>9.0f}{row.bare_peak_mb:>9.0f}"
        )


if __name__ == "__main__":
    main()
