"""The report's files: true to the figures, safe with any text, readable at any size, only those that were asked for."""

import base64
import csv
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import pairwise

import polars as pl
import pytest
from lodestream_server.workloads.mining.report import fit, report
from lodestream_server.workloads.mining.report.labels import place
from lodestream_server.workloads.mining.report.layout import Box, Link, layout
from lodestream_server.workloads.mining.report.options import wanted
from lodestream_server.workloads.mining.report.selection import MOST_ACTIVITIES
from lodestream_server.workloads.phase import Cancelled
from lodestream_server.workloads.process_models import discovery
from lodestream_server.workloads.process_models.alpha import NoModel

from tests.unit.mining_world import event, events, world

LOANS = {
    **{f"c{n}": [("Apply", n), ("Check", n + 10), ("Approve", n + 500)] for n in range(6)},
    "d": [("Apply", 7), ("Check", 17), ("Check", 18), ("Reject", 20)],
}
ODD_NAMES = [
    "<script>alert(1)</script>",
    "a & b \"q\" 'x'",
    "line\nbreak\ttab",
    "😀 family 👩‍👧",
    "مراجعة الطلب",
    "x" * 3_000,
    "漢字の活動名はとても長いです",
    "",
    "ctrl\x00\x0b\x1b",
    "]]>-->",
    "{{ 7*7 }} {% raw %}",
]
SVG = "{http://www.w3.org/2000/svg}"


class Page(HTMLParser):
    """What an HTML page consists of: its tags with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Collects the tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        """Collects the text."""
        self.text += data


def odd_world(tmp_path):
    """Twenty cases through activities with every kind of odd name."""
    return world(
        tmp_path,
        [event(f"c{n}", name, n * 100 + k * (k + n)) for n in range(20) for k, name in enumerate(ODD_NAMES)],
    )


def files(phase):
    """The published files by name."""
    return {item.path.name: item for item in phase.artifacts}


def test_the_usual_files_are_published_with_documented_kinds(tmp_path):
    """Report, map, variants, and the enriched log as CSV and Parquet; tables with their number of records."""
    finished, phase = world(tmp_path, events(LOANS)).report()

    assert {name: (item.type, item.kind, item.records) for name, item in files(phase).items()} == {
        "process-map.svg": ("Visualization", "ProcessMap", None),
        "report.html": ("Report", "ProcessMiningReport", None),
        "variants.csv": ("Dataset", "ProcessVariants", 2),
        "enriched-log.csv": ("Dataset", "EnrichedDataset", 22),
        "enriched-log.parquet": ("Dataset", "EnrichedDataset", 22),
    }
    assert finished.results["reportsCreated"] == 5
    assert finished.results["recommendations"][0]["priority"] == "High"
    assert (phase.done, phase.total) == (22, 22)


def test_the_enriched_log_knows_each_event_of_its_case(tmp_path):
    """Position, remaining events, times and rework of the case that checks twice."""
    _, phase = world(tmp_path, events(LOANS)).report()
    rows = pl.read_parquet(files(phase)["enriched-log.parquet"].path).filter(case_id="d").to_dicts()

    assert [row["position_in_case"] for row in rows] == [1, 2, 3, 4]
    assert [row["remaining_events"] for row in rows] == [3, 2, 1, 0]
    assert [row["is_rework"] for row in rows] == [False, False, True, False]
    assert [row["seconds_since_previous_event"] for row in rows] == [None, 600.0, 60.0, 120.0]
    assert [row["seconds_since_case_start"] for row in rows] == [0.0, 600.0, 660.0, 780.0]
    assert {(row["case_duration_seconds"], row["variant"], row["weekday"]) for row in rows} == {(780.0, 2, "Monday")}


def test_the_page_shows_the_discovered_model_and_carries_its_files(tmp_path):
    """Its picture, who found it, what it replays; links that hold the very files, so that they work anywhere."""
    here = world(tmp_path, events(LOANS))
    left = here.model().folder
    page = Page(files(here.report()[1])["report.html"].path.read_text("utf-8"))

    assert "discovered with the heuristics miner" in page.text
    assert "the ways that 100.0 % of the cases take" in " ".join(page.text.split())
    assert (left / "process-model.svg").read_text("utf-8") in files(here.report()[1])["report.html"].path.read_text()
    links = {tag["download"]: tag["href"] for name, tag in page.tags if name == "a" and "download" in tag}
    assert links.keys() == {"process-model.pnml", "process-model.bpmn"}
    for name, address in links.items():
        assert (
            base64.b64decode(address.removeprefix("data:application/octet-stream;base64,"))
            == (left / name).read_bytes()
        )


def test_a_model_too_large_to_be_read_is_named_and_left_out(tmp_path):
    """With the file to open instead."""
    pairs = [(a, b) for a in range(15) for b in range(15)]
    here = world(tmp_path, events({f"c{a}-{b}": [(f"A{a}", 0), (f"A{b}", 1)] for a, b in pairs}))
    here.model(algorithm="dfg")
    page = Page(files(here.report()[1])["report.html"].path.read_text("utf-8"))

    said = " ".join(page.text.split())
    assert "too large for a picture that can be read" in said
    assert "Open process-model.pnml" in said
    assert sum(name == "svg" for name, _ in page.tags) == 4  # the map and three charts


def test_the_page_says_why_another_algorithm_answered(tmp_path, monkeypatch):
    """With what was asked for; the names that the net and the sentence carry do no harm."""

    def none(*_):
        raise NoModel("Alpha+++ <script>found</script> nothing")

    monkeypatch.setattr(discovery, "alpha_net", none)
    here = odd_world(tmp_path)
    here.model(algorithm="alpha_miner_enhanced")
    page = Page(files(here.report()[1])["report.html"].path.read_text("utf-8"))

    said = "Asked for was Alpha+++, but: Alpha+++ <script>found</script> nothing; a heuristics net answers instead."
    assert said in " ".join(page.text.split())
    assert not [name for name, _ in page.tags if name in {"script", "iframe", "object", "img"}]


def test_a_page_without_a_model_has_no_section_of_it(tmp_path):
    """As when a retry takes over a discovery that was made before models were."""
    _, phase = world(tmp_path, events(LOANS)).report()
    page = Page(files(phase)["report.html"].path.read_text("utf-8"))
    assert "model" not in [tag.get("id") for _, tag in page.tags]


def test_csv_and_parquet_hold_the_same_log(tmp_path):
    """One header, every row once, times in RFC 3339."""
    _, phase = world(tmp_path, events(LOANS)).report()
    with files(phase)["enriched-log.csv"].path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))

    frame = pl.read_parquet(files(phase)["enriched-log.parquet"].path)
    assert [row["case_id"] for row in rows] == frame["case_id"].to_list()
    assert list(rows[0]) == frame.columns
    assert re.fullmatch(r"2024-01-01T\d\d:\d\d:00\.000000Z", rows[0]["timestamp"])


def test_a_column_of_the_source_keeps_its_name(tmp_path):
    """A log that already has a `variant` is not overwritten."""
    _, phase = world(tmp_path, [event("c", "A", 0, variant="gold")]).report()
    row = pl.read_parquet(files(phase)["enriched-log.parquet"].path).row(0, named=True)

    assert (row["variant"], row["mined_variant"]) == ("gold", 1)


def test_in_a_log_of_starts_and_completes_a_complete_is_no_rework(tmp_path):
    """Only what is started again is."""
    rows = [event("c", "A", n, lifecycle=word) for n, word in enumerate(["start", "complete", "start", "complete"])]
    _, phase = world(tmp_path, rows).report()

    assert pl.read_parquet(files(phase)["enriched-log.parquet"].path)["is_rework"].to_list() == [
        False,
        False,
        True,
        True,
    ]


def test_the_map_shows_frequencies_times_and_the_bottleneck(tmp_path):
    """Names, counts, medians and shares stand in the drawing; a title and a description serve who cannot see it."""
    _, phase = world(tmp_path, events(LOANS)).report()
    root = ET.parse(files(phase)["process-map.svg"].path).getroot()
    texts = [node.text for node in root.iter(f"{SVG}text")]

    assert {"Approve", "6 ×", "6 · 8.2 h", "mean 8.2 h"} <= set(texts)
    assert any("of all waiting" in (text or "") for text in texts)
    assert root.findtext(f"{SVG}title") == "Process map: Loans in January"
    assert "Bottlenecks: Approve" in root.findtext(f"{SVG}desc", "")
    assert any("4 of 4 activities and 4 of 4 transitions" in (text or "") for text in texts)


def test_texts_stay_inside_their_boxes(tmp_path):
    """Whatever the name: every line of a box is narrower than the box."""
    _, phase = odd_world(tmp_path).report()
    root = ET.parse(files(phase)["process-map.svg"].path).getroot()
    boxes = [g for g in root.iter(f"{SVG}g") if g.findall(f"{SVG}title") and g.findall(f"{SVG}text")]

    assert len(boxes) == len(ODD_NAMES)
    for box in boxes:
        rect = box.findall(f"{SVG}rect")[0].attrib
        top, bottom = float(rect["y"]), float(rect["y"]) + float(rect["height"])
        for line in box.findall(f"{SVG}text"):
            size, bold = float(line.attrib["font-size"]), line.get("font-weight") == "700"
            assert fit.width(line.text or "", size, bold=bold) <= float(rect["width"])
            assert top < float(line.attrib["y"]) < bottom


def test_odd_names_can_do_nothing(tmp_path):
    """No script, no handler, no template syntax runs, in the page or the map; both parse."""
    _, phase = odd_world(tmp_path).report()
    page = Page(files(phase)["report.html"].path.read_text("utf-8"))
    ET.parse(files(phase)["process-map.svg"].path)

    assert not [tag for tag, _ in page.tags if tag in {"script", "iframe", "object", "embed", "link", "img"}]
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7*7 }}" in page.text


def test_the_page_needs_nothing_from_elsewhere(tmp_path):
    """No address outside the page, and a policy that forbids requests; only namespaces look like addresses."""
    _, phase = world(tmp_path, events(LOANS)).report()
    text = files(phase)["report.html"].path.read_text("utf-8")
    page = Page(text)

    addresses = [
        value for _, attrs in page.tags for name, value in attrs.items() if name in {"src", "href", "xlink:href"}
    ]
    assert addresses
    assert all(value.startswith("#") for value in addresses)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_the_page_tells_the_figures(tmp_path):
    """Title, dataset, key figures, the bottleneck and the recommendation stand on the page."""
    finished, phase = world(tmp_path, events(LOANS)).report()
    text = " ".join(Page(files(phase)["report.html"].path.read_text("utf-8")).text.split())

    for expected in (
        "Loans in January",
        "Dataset loans.csv",
        "22 events",
        "Approve",
        finished.results["recommendations"][0]["expectedImprovement"],
    ):
        assert expected in text


def test_a_hundred_thousand_activities_make_a_sane_map(tmp_path):
    """The most frequent ones are drawn, and the map says how many of how many."""
    rows = [event(f"c{n // 10}", f"activity {n}", n) for n in range(100_000)]
    finished, phase = world(tmp_path, rows).report(outputOptions={"exportFormats": ["JSON"]})

    assert finished.results["processMap"]["activitiesShown"] == MOST_ACTIVITIES
    assert finished.results["processMap"]["activities"] == 100_000
    assert "60 of 100,000 activities" in files(phase)["process-map.svg"].path.read_text("utf-8")
    assert files(phase)["report.html"].path.stat().st_size < 1_000_000


@pytest.mark.parametrize(
    "rows",
    [
        [event("c", "Only", 0)],
        [event(f"c{n}", "Only", n) for n in range(5)],
        [event(f"c{n % 3}", "AB"[n % 2], 0) for n in range(20)],
        [event("c", "A", -1e9), event("c", "B", 4e9)],
    ],
    ids=["one event", "one activity", "one instant", "eight thousand years"],
)
def test_small_and_strange_logs_have_a_report(tmp_path, rows):
    """Nothing is divided by nothing, and every file is made."""
    _, phase = world(tmp_path, rows).report()

    assert len(phase.artifacts) == 5


def test_formats_are_made_as_asked(tmp_path):
    """Without reports PDF is the map alone, JSON all results in one file; what does not exist is a mere warning."""
    loans = world(tmp_path, events(LOANS))
    options = {"exportFormats": ["pdf", "JSON", "PowerPoint"], "generateReports": False}
    _, phase = loans.report(outputOptions=options)

    assert set(files(phase)) == {"process-map.svg", "process-map.pdf", "results.json"}
    assert files(phase)["process-map.pdf"].path.read_bytes().startswith(b"%PDF")
    assert json.loads(files(phase)["results.json"].path.read_text("utf-8"))["discovery"]["cases"] == 7
    assert phase.warnings[0].text == "Export format POWERPOINT is not available"


def test_pdf_is_a_report_to_read_as_well(tmp_path):
    """Beside the map."""
    finished, phase = world(tmp_path, events(LOANS)).report(outputOptions={"exportFormats": ["PDF"]})

    made = files(phase)["report.pdf"]
    assert (made.type, made.kind) == ("Report", "ProcessMiningReport")
    assert made.path.read_bytes().startswith(b"%PDF")
    assert {"kind": "ProcessMiningReport", "file": "report.pdf", "format": "PDF"} in finished.results["outputs"]


def test_output_format_names_formats_among_its_words():
    """`processed_csv` asks for CSV alone; `detailed_report` leaves everything as usual."""
    assert wanted({"outputFormat": "processed_csv"}).formats == {"CSV"}
    assert wanted({"outputFormat": "detailed_report"}).formats == {"CSV", "PARQUET"}
    assert wanted({"outputOptions": {"createVisualizations": False}}).map is False
    assert wanted({"outputOptions": None, "outputFormat": None}).html is True


def test_recommendations_can_be_left_out(tmp_path):
    """`generateOptimizationRecommendations: false` is respected."""
    finished, _ = world(tmp_path, events(LOANS)).report(generateOptimizationRecommendations=False)

    assert finished.results["recommendations"] == []


def test_the_report_stops_when_asked(tmp_path):
    """Cancel points lie between the files and the buckets."""
    loans = world(tmp_path, events(LOANS))
    loans.analyse()
    for after in (0, 4, 9):
        phase = loans.phase("Report Generation", cancel_after=after)
        with pytest.raises(Cancelled):
            phase.run(report)


def crosses(box, centre, a, b):
    """Whether a piece of a route runs through the inside of a box."""
    left, right = centre[0] - box.width / 2 + 1, centre[0] + box.width / 2 - 1
    top, bottom = centre[1] - box.height / 2 + 1, centre[1] + box.height / 2 - 1
    return max(min(a[0], b[0]), left) < min(max(a[0], b[0]), right) + 1e-9 and max(min(a[1], b[1]), top) < min(
        max(a[1], b[1]), bottom
    )


def test_edges_run_around_boxes():
    """In a graph with loops and long ways no edge runs through a box, and everything is within the drawing."""
    boxes = [Box(120, 50) for _ in range(12)]
    pairs = [(i, i + 1) for i in range(11)] + [(0, 5), (3, 9), (9, 2), (7, 7), (11, 0), (4, 6), (2, 8)]
    drawn = layout(boxes, [Link(a, b, label=(60, 16)) for a, b in pairs])

    for (source, target), route in zip(pairs, drawn.routes, strict=True):
        assert all(0 <= x <= drawn.width and 0 <= y <= drawn.height for x, y in route)
        for index, (box, centre) in enumerate(zip(boxes, drawn.centres, strict=True)):
            if index not in (source, target):
                assert not [1 for a, b in pairwise(route) if crosses(box, centre, a, b)]


def test_the_same_graph_gives_the_same_drawing():
    """Layout is a pure function."""
    boxes, edges = [Box(100, 40)] * 6, [Link(i, (i * 2 + 1) % 6) for i in range(6)]

    assert layout(boxes, edges) == layout(boxes, edges)


def test_labels_keep_clear_of_boxes_and_each_other():
    """Two arrows side by side: their labels do not overlap, and neither hides the box."""
    routes = [((50, 0), (50, 100)), ((62, 0), (62, 100))]
    one, other = place([(60, 16), (60, 16)], routes, [(0, -40, 110, 0), (0, 100, 110, 140)], [0, 1])

    assert abs(one[0] - other[0]) >= 60 or abs(one[1] - other[1]) >= 16
    assert all(8 <= y <= 92 for _, y in (one, other))


def test_names_wrap_between_words_and_end_in_an_ellipsis():
    """Three lines at most; a word longer than a line is cut."""
    assert fit.wrap("Check the application", 13, 90, 3) == ["Check the", "application"]
    assert fit.wrap("x" * 100, 13, 60, 2)[1].endswith("…")
    assert fit.wrap("\n \t", 13, 90, 2) == ["(no name)"]
