"""Enrichment from the file to the dataset: the loan log against its own truth, every format read again, stops at any
moment."""

import csv
import xml.etree.ElementTree as ET
from collections import Counter
from html.parser import HTMLParser

import polars as pl
import pytest
from lodestream_server.workloads.mining.discovery import discover
from lodestream_server.workloads.mining.loading import load
from lodestream_server.workloads.phase import Cancelled, DatasetFile
from lodestream_server.workloads.rehearsal import Rehearsal

from lodestream.samples.loan_applications import write_log
from tests.integration.loading_world import dataset, loaded
from tests.unit.enrichment_world import PHASES, World

DOCUMENTED = ["remove_duplicates", "fix_timestamps", "validate_activities"]


def loans(folder, cases=1_500, **parameters):
    """The loan log with its truth, and the world that enriches it."""
    truth = write_log(folder / "loans.csv", cases)
    return truth, World(folder, dataset(folder / "loans.csv"), {"cleaningRules": DOCUMENTED, **parameters})


def test_injected_duplicates_and_broken_timestamps_are_found_and_fixed_to_the_last_one(tmp_path):
    """Exact counts, from the truth that the generator wrote down."""
    truth, here = loans(tmp_path, 4_000)
    results, read = here.run("Data Cleaning").results, here.finished["Data Loading"].results
    broken = truth.missing_timestamps + truth.unparsable_timestamps
    assert results["duplicatesFound"] == results["duplicatesRemoved"] == truth.duplicates > 0
    assert results["timestampsBroken"] == read["brokenTimestamps"] == broken > truth.inferable_timestamps
    assert results["timestampsFixed"] == truth.inferable_timestamps > 0
    assert results["timestampsRejected"] == broken - truth.inferable_timestamps
    assert results["invalidRecords"] == truth.invalid
    assert (results["events"], results["cases"]) == (truth.events - truth.duplicates, truth.cases)
    assert (results["activitiesRejected"], results["activities"]) == (0, truth.activities)
    assert results["timeRange"]["startTime"][:19] == truth.first[:19]
    assert results["dataQualityScore"] > results["before"]["dataQualityScore"]


def test_with_nearest_times_at_the_edges_every_broken_timestamp_is_fixed(tmp_path):
    """The last event of a case takes its own start; nothing is lost."""
    rules = ["remove_duplicates", {"rule": "fix_timestamps", "edges": "nearest"}]
    truth, here = loans(tmp_path, 4_000, cleaningRules=rules)
    results = here.run("Data Cleaning").results
    assert results["timestampsFixed"] == truth.missing_timestamps + truth.unparsable_timestamps
    assert results["timestampsRejected"] == 0


def test_a_fixed_time_lies_between_its_neighbours(tmp_path):
    """The order of events in a case stays that of the file."""
    _, here = loans(tmp_path, 4_000)
    rows = here.rows("Data Cleaning")
    assert rows.select(pl.col("timestamp").diff().over("case_id").min()).item().total_seconds() >= 0


@pytest.mark.parametrize(
    ("word", "file"),
    [
        ("csv", "enriched-log.csv"),
        ("processed_csv", "processed-log.csv"),
        ("parquet", "enriched-log.parquet"),
        ("xes", "enriched-log.xes"),
    ],
)
def test_the_dataset_can_be_mined_like_any_other_and_holds_every_event(tmp_path, word, file):
    """Case, activity and times are found by themselves; nothing is to be complained about."""
    truth, here = loans(tmp_path, outputFormat=word, expressions={"is_large": "amount > 20000"})
    here.run("Output Generation")
    published = here.phases["Output Generation"].artifacts[0]
    assert (published.path.name, published.type, published.kind) == (file, "Dataset", "EnrichedDataset")
    again = loaded(published.path)
    assert again.results["events"] == published.records == truth.events - truth.duplicates
    assert (again.results["cases"], again.results["activities"]) == (truth.cases, truth.activities)
    assert (again.results["dataQualityScore"], again.phase.warnings) == (100.0, [])
    types = {name: again.summary.attributes[name] for name in ("is_large", "variant", "case_duration_seconds")}
    assert types == {"is_large": "boolean", "variant": "integer", "case_duration_seconds": "number"}
    before = here.rows("Data Enrichment").select("case_id", "activity", "timestamp", "amount", "region", "is_large")
    assert again.rows.select(before.columns).sort(pl.all()).equals(before.sort(pl.all()))


def test_variants_have_the_ranks_that_mining_gives_them(tmp_path):
    """One word, one meaning: discovery of the result counts the same cases for every rank."""
    truth, here = loans(tmp_path, outputFormat="parquet")
    here.run("Output Generation")
    path = here.phases["Output Generation"].artifacts[0].path
    loading = Rehearsal(tmp_path / "again", dataset=dataset(path)).run(load)
    found = Rehearsal(tmp_path / "mined", earlier={"Data Loading": loading}).run(discover).results
    first = pl.read_parquet(path).filter(pl.col("position_in_case") == 1)
    ranks = Counter(first["variant"].to_list())
    assert found["processVariants"] == len(ranks) == truth.variants_without_duplicates
    assert {row["variant"]: row["cases"] for row in found["variants"]} == {rank: ranks[rank] for rank in range(1, 51)}


def test_xes_is_well_formed_whatever_the_texts_hold(tmp_path):
    """Markup, quotes, control characters, line breaks."""
    path = tmp_path / "odd.csv"
    names = ["<b>\"A\" & 'B'</b>", "two\nlines", "bell\x07", "→ ü 漢"]
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["case", "activity", "time", 'a "key" <here>'])
        rows.writerows(["1", name, f"2024-01-01T0{hour}:00:00Z", name] for hour, name in enumerate(names))
    here = World(tmp_path, dataset(path), {"cleaningRules": [], "outputFormat": "xes"})
    here.run("Output Generation")
    root = ET.parse(here.phases["Output Generation"].artifacts[0].path).getroot()
    space = "{http://www.xes-standard.org/}"
    events = root.findall(f"{space}trace/{space}event")
    values = [{item.get("key"): item.get("value") for item in event} for event in events]
    assert [value["concept:name"] for value in values] == [names[0], names[1], "bell\ufffd", names[3]]
    assert values[1]['a "key" <here>'] == "two\nlines"


class _Tags(HTMLParser):
    """Which tags a page opens, and what they refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.targets: list[str | None] = []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.targets += [value for name, value in attrs if name in ("src", "href")]


def test_the_report_shows_every_rule_with_samples_and_lets_no_markup_through(tmp_path):
    """Self-contained, without scripts; the counts are those of the results."""
    path = tmp_path / "odd.csv"
    path.write_text(
        "case,activity,time,note\n"
        "1,<script>alert(1)</script>,2024-01-01T08:00:00Z,<img src=x>\n"
        "1,<script>alert(1)</script>,2024-01-01T08:00:00Z,<img src=x>\n"
        "1,B,broken <i>,x\n"
        "1, C ,2024-01-01T10:00:00Z,x\n"
    )
    here = World(tmp_path, dataset(path), {"cleaningRules": [*DOCUMENTED, "trim"]})
    here.run("Output Generation")
    report = here.phases["Output Generation"].artifacts[1]
    page, text = _Tags(), report.path.read_text("utf-8")
    page.feed(text)
    assert (report.type, report.path.name) == ("Report", "before-after.html")
    assert not {"script", "img", "i"} & set(page.tags)
    assert all(str(target).startswith("#") for target in page.targets)
    for said in ("Remove duplicates", "Fix timestamps", "broken &lt;i&gt;", "2024-01-01T09:00:00Z", "“ C ”"):
        assert said in text
    assert "before-after" not in here_without_report(tmp_path, path)


def here_without_report(folder, path):
    """The names of the files when no report is wanted."""
    (folder / "bare").mkdir()
    options = {
        "cleaningRules": [],
        "outputOptions": {"generateReports": False},
        "timeWindow": {"endDate": "2024-02-01"},
    }
    here = World(folder / "bare", dataset(path), options)
    here.run("Output Generation")
    return " ".join(published.path.name for published in here.phases["Output Generation"].artifacts)


def test_removed_rows_can_be_looked_up_with_rule_and_reason(tmp_path):
    """As they stood in the file, a line each."""
    truth, here = loans(tmp_path)
    results = here.run("Data Cleaning").results
    with (here.phases["Data Cleaning"].out / "removed.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    went = Counter(row["rule"] for row in rows)
    assert went == {"remove_duplicates": truth.duplicates, "fix_timestamps": results["timestampsRejected"]}
    with (tmp_path / "loans.csv").open(encoding="utf-8", newline="") as file:
        source = list(csv.DictReader(file))
    lost = [row for row in rows if row["rule"] == "fix_timestamps"]
    assert [row["timestamp"] for row in lost] == [source[int(row["record"])]["timestamp"] for row in lost]


@pytest.mark.parametrize("name", list(PHASES))
def test_every_phase_stops_at_every_place_that_asks(tmp_path, name):
    """At the first cancel point and at any later one; the phase before it stays as it is."""
    _, here = loans(tmp_path, 60, expressions={"x": "amount / 2"})
    here.run(name)
    points = here.phases[name].checks
    assert points >= 4
    before = {key: value for key, value in here.finished.items() if list(PHASES).index(key) < list(PHASES).index(name)}
    for place in sorted({0, 1, points // 2, points - 1}):
        phase = Rehearsal(
            tmp_path / f"stop-{place}", here.dataset, here.parameters, name, earlier=before, cancel_after=place
        )
        with pytest.raises(Cancelled):
            phase.run(PHASES[name])


def test_many_parts_give_what_one_gives(tmp_path, monkeypatch):
    """Counts, ranks and concurrent work do not depend on how the log is dealt."""
    _, one = loans(tmp_path, 400)
    rows = one.rows("Data Enrichment")
    monkeypatch.setattr("lodestream_server.workloads.mining.partition.FEWEST", 61)
    monkeypatch.setattr("lodestream_server.workloads.enrichment.concurrent_work.ROWS_PER_PART", 700)
    (tmp_path / "many").mkdir()
    other = World(tmp_path / "many", one.dataset, one.parameters)
    assert other.rows("Data Enrichment").equals(rows)
    assert len(other.finished["Data Cleaning"].results["rules"]) == 3
    booked = [world.finished["Data Cleaning"].results["rules"][0]["counts"] for world in (one, other)]
    assert booked[0] == booked[1]


def test_a_log_is_enriched_twice_without_losing_a_column(tmp_path):
    """The derived columns of the first run are columns of the source of the second."""
    _, here = loans(tmp_path, 60, outputFormat="csv")
    here.run("Output Generation")
    (tmp_path / "twice").mkdir()
    path = here.phases["Output Generation"].artifacts[0].path
    again = World(tmp_path / "twice", dataset(path), {"outputFormat": "csv"})
    columns = again.run("Output Generation").results["outputColumns"]
    assert {"variant", "derived_variant", "source_record", "source_record_of_this_run"} <= set(columns)


@pytest.mark.parametrize("word", ["csv", "parquet", "xes"])
def test_the_dataset_reads_back_as_it_was_written(tmp_path, word):
    """Odd texts, mixed types, and attributes of a case that differ within it."""
    lines = (
        "case,activity,time,amount,note,case:region",
        '=1+1,"A, ""x""",2024-01-01T00:00:00.123456Z,1,"two\nlines",N',
        "c2,B & <b>,2024-01-01T00:00:01Z,2.5,'; DROP,",
        'c2,"  sp ",2024-01-01T00:00:02+03:00,,"a\tb",S',
        "007,ünï,2023-12-31T23:00:00Z,1e10,😀,x",
        "NA,null,2024-01-01,-0.5,NA,T",
    )
    first = World(tmp_path, dataset(_written(tmp_path / "log.csv", lines)), {"cleaningRules": [], "outputFormat": word})
    before = first.rows("Data Enrichment").sort("case_id", "timestamp")
    first.run("Output Generation")
    (path,) = first.finished["Output Generation"].folder.glob(f"*.{word}")
    (tmp_path / "again").mkdir()
    file = DatasetFile("d-2", path.name, path, word, path.stat().st_size)
    after = World(tmp_path / "again", file, {"cleaningRules": []}).rows("Data Enrichment").sort("case_id", "timestamp")
    columns = [name for name in before.columns if name != "position"]
    assert after.select(columns).equals(before.select(columns))
    assert after.select(columns).schema == before.select(columns).schema


def _written(path, lines):
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path
