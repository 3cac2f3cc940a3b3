"""Reports: every format opens in a reader of its own, tells the figures of its source in every language, and takes any
text."""

import csv
import io
import json
import string
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
from lodestream_server.workloads.mining.report.charts import cases_over_time
from lodestream_server.workloads.mining.report.wording import WORDS
from lodestream_server.workloads.phase import BadInput, Cancelled, EarlierRun, Finished
from lodestream_server.workloads.rehearsal import Rehearsal
from lodestream_server.workloads.reporting import typesetting
from lodestream_server.workloads.reporting.phases import collect, draw
from lodestream_server.workloads.reporting.speech import LANGUAGES, speech_of
from PIL import ImageFont
from pptx import Presentation

from tests.unit.enrichment_world import world as enrichment
from tests.unit.mining_world import event, events, minute
from tests.unit.reporting_world import ENDED, Page, files, mined, pdf_objects, pdf_pages, reported

ALL = ["PDF", "PowerPoint", "HTML", "CSV", "JSON", "Excel"]
NAMES = {"report.pdf", "report.pptx", "report.html", "report-tables.zip", "report.json", "report.xlsx"}
ODD = ["<script>alert(1)</script>", "#set page(fill: red) $x$ *b*", "x" * 3_000, "ctrl\x00\x0b\x1b", "=1+1", "ğüşıöçİ"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A mining run that nobody changes."""
    return mined(tmp_path_factory.mktemp("mined"))


def slide_texts(content):
    """The text of every shape of every slide, tables included."""
    found = []
    for slide in Presentation(io.BytesIO(content)).slides:
        for shape in slide.shapes:
            if shape.has_text_frame:
                found.append(shape.text_frame.text)
            if shape.has_table:
                found += [cell.text for row in shape.table.rows for cell in row.cells]
    return found


def sheets(content):
    """Sheet -> its cells' raw values in order, read from the XML."""
    spaces = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        shared = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        texts = ["".join(t.text or "" for t in item.iterfind(".//m:t", spaces)) for item in shared]
        names = [
            s.get("name") for s in ElementTree.fromstring(book.read("xl/workbook.xml")).iterfind(".//m:sheet", spaces)
        ]
        found = {}
        for number, name in enumerate(names, start=1):
            root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))
            assert root.find(".//m:f", spaces) is None, "no formula"
            cells = root.iterfind(".//m:c", spaces)
            found[name] = [
                texts[int(c.findtext("m:v", "", spaces))]
                if c.get("t") == "s"
                else float(c.findtext("m:v", "0", spaces))
                for c in cells
            ]
        return found


def blocks(document, kind):
    """All blocks of that type in the JSON form."""
    return [block for section in document["sections"] for block in section["blocks"] if block["type"] == kind]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_format_tells_the_figures_of_the_source(run, tmp_path, language):
    """As their readers write them; raw in JSON, CSV and Excel."""
    speech = speech_of(language)
    finished, phase = reported(tmp_path, [run], reportType="detailed", exportFormats=ALL, language=language)
    made = files(phase)
    performance = next(p.results for p in run.phases if p.name == "Performance Analysis")
    median, worst = performance["cycleTimes"]["medianSeconds"], performance["bottlenecks"][0]

    assert set(made) == NAMES
    assert finished.results["reportsCreated"] == 6
    document = json.loads(made["report.json"])
    figures = {item["label"]: item["value"] for item in blocks(document, "Figures")[0]["items"]}
    assert figures[speech.say("figure.cases")] == 7
    assert figures[speech.say("figure.median_cycle")] == median

    page = Page(made["report.html"].decode())
    said = " ".join(slide_texts(made["report.pptx"]))
    for text in (speech.duration(median), speech.percent(worst["share"]), "Approve", speech.say("section.variants")):
        assert text in page.text
        assert " ".join(text.split()) in " ".join(said.split())

    with zipfile.ZipFile(io.BytesIO(made["report-tables.zip"])) as archive:
        rows = list(csv.reader(io.StringIO(archive.read("bottlenecks-1.csv").decode("utf-8-sig"))))
    assert rows[1][:3] == ["Approve", str(worst["share"]), str(worst["occurrences"])]
    book = sheets(made["report.xlsx"])
    assert worst["share"] in book[speech.say("table.bottlenecks")]
    figures = book[speech.say("table.comparison")]
    label = f"{speech.say('figure.median_cycle')} ({speech.say('map.unit_hour')})"
    assert figures[figures.index(label) + 1] == pytest.approx(median / 3_600)
    assert pdf_pages(made["report.pdf"]) >= 4


def test_the_documented_request_makes_pdf_and_slides(run, tmp_path):
    """The batch's third step, word for word."""
    parameters = {
        "reportType": "executive_summary",
        "includeVisualizations": True,
        "exportFormats": ["PDF", "PowerPoint"],
    }
    finished, phase = reported(tmp_path, [run], **parameters)
    deck = Presentation(io.BytesIO(files(phase)["report.pptx"]))

    assert set(files(phase)) == {"report.pdf", "report.pptx"}
    assert deck.slide_width / deck.slide_height == pytest.approx(16 / 9)
    assert all(slide.shapes.title.text for slide in deck.slides)
    assert any(shape.has_chart for slide in deck.slides for shape in slide.shapes)
    assert any(shape.shape_type == 13 for slide in deck.slides for shape in slide.shapes), "a picture of the map"
    assert finished.results["recommendations"][0]["category"] == "Process Optimization"
    assert {item.kind for item in phase.artifacts} == {"ProcessMiningReport"}


@pytest.mark.parametrize("kind", ["executive_summary", "detailed"])
def test_the_same_report_has_the_same_bytes(run, tmp_path, kind):
    """Whenever it is made: dates in the files are those of the source."""
    wishes = {"reportType": kind, "exportFormats": ALL}
    one, other = (files(reported(tmp_path, [run], **wishes)[1]) for _ in range(2))

    assert one == other
    assert "20260301" in pdf_objects(one["report.pdf"]).replace("-", "")
    assert Presentation(io.BytesIO(one["report.pptx"])).core_properties.created == ENDED.replace(tzinfo=None)


def test_without_visualizations_there_is_no_picture(run, tmp_path):
    """Words and tables remain."""
    wishes = {"includeVisualizations": False, "exportFormats": ["HTML", "PowerPoint"]}
    _, phase = reported(tmp_path, [run], **wishes)
    made = files(phase)
    shapes = [s for slide in Presentation(io.BytesIO(made["report.pptx"])).slides for s in slide.shapes]

    assert "svg" not in {tag for tag, _ in Page(made["report.html"].decode()).tags}
    assert not [s for s in shapes if s.has_chart or s.shape_type == 13]


@pytest.mark.parametrize("language", ["en", "tr"])
def test_a_comparison_names_both_runs_and_the_change(tmp_path, language):
    """The baseline comes first, whatever the order in which the runs were given."""
    slow = [event(f"c{n}", a, n + k * 1000) for n in range(9) for k, a in enumerate(["Apply", "Check", "Approve"])]
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    before, after = mined(tmp_path / "a", name="January"), mined(tmp_path / "b", slow, name="February")
    wishes = {"reportType": "comparison", "exportFormats": ALL, "baselineRunId": before.run_id, "language": language}
    _, phase = reported(tmp_path, [after, before], **wishes)
    made, speech = files(phase), speech_of(language)
    document = json.loads(made["report.json"])
    table = blocks(document, "Table")[0]

    assert [column["label"] for column in table["columns"]][1:3] == ["January", "February"]
    cases = next(row for row in table["rows"] if row[0] == speech.capitalised(speech.say("figure.cases")))
    assert cases[1:] == ["7", "9", speech.change(2 / 7)]
    assert "February" in " ".join(slide_texts(made["report.pptx"]))


def test_odd_texts_can_do_nothing(tmp_path):
    """No markup of any format runs, no formula computes, every file opens."""
    rows = [event(f"c{n}", name, n * 100 + k * (k + n)) for n in range(9) for k, name in enumerate(ODD)]
    run = mined(tmp_path, rows, name="a <b> & *c* #d \x07 " + "y" * 400)
    wishes = {"reportType": "detailed", "exportFormats": ALL, "title": "=cmd|' /C calc'!A0 " + "z" * 500}
    made = files(reported(tmp_path, [run], **wishes)[1])
    page = Page(made["report.html"].decode())

    assert not [tag for tag, _ in page.tags if tag in {"script", "iframe", "object", "embed", "link", "img"}]
    assert "<script>alert(1)</script>" in page.text
    assert "#set page(fill: red)" in page.text
    assert any("ğüşıöçİ" in text for text in slide_texts(made["report.pptx"]))
    assert "=1+1" in [cell for cells in sheets(made["report.xlsx"]).values() for cell in cells]
    with zipfile.ZipFile(io.BytesIO(made["report-tables.zip"])) as archive:
        content = archive.read("activities-1.csv").decode("utf-8-sig")
    assert "'=1+1" in content
    assert pdf_pages(made["report.pdf"]) >= 4


def test_texts_on_slides_fit_their_boxes(tmp_path):
    """By the widths of a wide font, in every language, with names as long as can be; heads of tables break between
    words alone."""
    from lodestream_server.workloads.mining.report import fit

    rows = [event(f"c{n}", f"{'Determine necessity of ' * 4}{k}", n + k * 50 * n) for n in range(9) for k in range(5)]
    run = mined(tmp_path, rows, name="Name " * 40)
    for language in LANGUAGES:
        wishes = {"exportFormats": ["PowerPoint", "JSON"], "language": language, "reportType": "detailed"}
        made = files(reported(tmp_path, [run], **wishes)[1])
        deck = Presentation(io.BytesIO(made["report.pptx"]))
        document = json.loads(made["report.json"])
        labels = {column["label"] for table in blocks(document, "Table") for column in table["columns"]}
        for shape in (s for slide in deck.slides for s in slide.shapes if s.has_text_frame and s.text_frame.text):
            run_ = shape.text_frame.paragraphs[0].runs[0]
            size = run_.font.size.pt
            lines = fit.wrap(run_.text, size, shape.width.pt, 99, bold=bool(run_.font.bold))
            assert len(lines) * size <= shape.height.pt + size * 0.3, run_.text
            assert shape.left >= 0
            assert shape.left + shape.width <= deck.slide_width
            assert shape.top + shape.height <= deck.slide_height
        tables = [shape.table for slide in deck.slides for shape in slide.shapes if shape.has_table]
        heads = [table.rows[0].cells for table in tables]
        assert {cell.text for cells in heads for cell in cells} <= labels, "broken within a word, or cut"


def test_a_page_needs_nothing_from_elsewhere(run, tmp_path):
    """No address outside the page, and a policy that forbids requests."""
    made = files(reported(tmp_path, [run], exportFormats=["HTML"])[1])["report.html"].decode()
    page = Page(made)

    addresses = [a[name] for _, a in page.tags for name in ("src", "href", "xlink:href") if a.get(name)]
    assert all(str(address).startswith("#") for address in addresses)
    assert "default-src 'none'" in made
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_a_report_on_nothing_says_what_to_give(run, tmp_path):
    """So does a comparison with one run, and a format that does not exist."""
    for sources, parameters, fault in (
        ([], {}, "sourceRunId"),
        ([run], {"reportType": "comparison"}, "baselineRunId"),
        ([run], {"exportFormats": ["Parchment"]}, "PowerPoint"),
    ):
        phase = Rehearsal(tmp_path / f"{fault}", parameters=parameters, name="Data Collection", sources=sources)
        with pytest.raises(BadInput, match=fault):
            phase.run(collect)


def test_an_unknown_format_among_known_ones_is_a_warning(run, tmp_path):
    """The others are made."""
    phase = Rehearsal(tmp_path / "x", parameters={"exportFormats": ["pdf", "Parchment"]}, sources=[run])
    phase.run(collect)

    assert [line.text for line in phase.warnings] == ["Export format Parchment is not available"]


def test_a_run_of_another_type_is_reported_by_its_own_words(tmp_path):
    """Figures and lists become tables; names of keys become words."""
    results = {"meanAbsoluteError": 1.25, "rows": [{"case": "c1", "anomalyShare": 0.5}, {"case": "c2"}], "empty": []}
    run = EarlierRun("job-1", "job", "Analysis", "Conformance", {}, (Finished("Analysis", results, tmp_path),))
    made = files(reported(tmp_path, [run], reportType="detailed", exportFormats=["HTML", "JSON"])[1])
    page = Page(made["report.html"].decode())

    for text in ("Mean absolute error", "1.25", "Anomaly share", "c2"):
        assert text in page.text


def test_files_that_are_no_longer_kept_cost_the_map_alone(tmp_path):
    """The results are still there."""
    run = mined(tmp_path)
    for mining in run.phases:
        for path in mining.folder.glob("*.parquet"):
            path.unlink()
    finished, phase = reported(tmp_path, [run], exportFormats=["HTML"])

    assert "Process map" not in finished.results["sections"]
    assert "Approve" in files(phase)["report.html"].decode()


def test_drawings_do_not_ask_for_formats(run, tmp_path):
    """So a retry in another format draws nothing again."""

    read = set()

    class Noted(dict):
        def get(self, key, default=None):
            read.add(key)
            return super().get(key, default)

    collected = Rehearsal(tmp_path / "c", name="Data Collection", sources=[run]).run(collect)
    earlier = {"Data Collection": collected}
    Rehearsal(tmp_path / "d", name="Visualization", sources=[run], parameters=Noted(), earlier=earlier).run(draw)
    assert read == {"reportType", "language", "includeVisualizations", "outputOptions", "baselineRunId"}


def test_a_report_stops_when_asked(run, tmp_path):
    """Between sources, drawings and files."""
    for after in (0, 1):
        phase = Rehearsal(tmp_path / f"{after}", name="Data Collection", sources=[run], cancel_after=after)
        with pytest.raises(Cancelled):
            phase.run(collect)


def test_every_text_exists_in_every_language():
    """The same keys with the same placeholders; nothing is left empty; drawings find all their words."""

    def shape(text):
        return sorted(part[1] for part in string.Formatter().parse(text) if part[1])

    english = speech_of("en").texts
    for language in LANGUAGES:
        texts = speech_of(language).texts
        assert texts.keys() == english.keys()
        assert {key: shape(text) for key, text in texts.items()} == {key: shape(text) for key, text in english.items()}
        assert all(text.strip() for text in texts.values())
    assert {key.removeprefix("map.") for key in english if key.startswith("map.")} == set(WORDS)
    assert {key: english[f"map.{key}"] for key in WORDS} == WORDS


def test_the_font_has_every_letter_of_our_texts():
    """Of all languages, in all weights; a letter that a font lacks looks like one that no font has."""
    said = "".join(json.dumps(speech_of(one).texts | speech_of(one).manner, ensure_ascii=False) for one in LANGUAGES)
    letters = {letter for letter in said + "ğüşıöçİĞÜŞÖÇäöüßÄÖÜéèêëàâçîïôœùûÿÉÀÇ→×−…–≤" if not letter.isspace()}
    fonts = sorted((Path(typesetting.__file__).parent / "fonts").glob("*.otf"))

    assert len(fonts) == 3
    for path in fonts:
        font = ImageFont.truetype(path, 24)
        absent = bytes(font.getmask("\U0010fffd"))
        assert not [letter for letter in letters if bytes(font.getmask(letter)) == absent], path.name


@pytest.mark.parametrize(
    ("language", "count", "share", "long", "one", "day", "change"),
    [
        ("en", "1,234,567", "61.3 %", "1.5 hours", "1 day", "1 March 2026", "−4.0 %"),
        ("tr", "1.234.567", "%61,3", "1,5 saat", "1 gün", "1 Mart 2026", "−%4,0"),
        ("de", "1.234.567", "61,3 %", "1,5 Stunden", "1 Tag", "1. März 2026", "−4,0 %"),
        ("fr", "1\u202f234\u202f567", "61,3 %", "1,5 heure", "1 jour", "1er mars 2026", "−4,0 %"),
    ],
)
def test_figures_are_written_as_their_readers_write_them(language, count, share, long, one, day, change):
    """Separators, units with their plural, dates."""
    speech = speech_of(language)

    def plain(text):
        return text.replace("\u00a0", " ")

    assert speech.count(1_234_567) == count
    assert plain(speech.percent(0.613)) == share
    assert plain(speech.duration(5_400)) == long
    assert plain(speech.duration(2 * 86_400)).split()[0] == "2"
    assert plain(speech.date(ENDED.date())) == day
    assert plain(speech.change(-0.04)) == plain(speech.percent(-0.04)) == change
    assert one.split()[1] == speech.manner["units"]["day"][0]


def test_numbers_within_sentences_stay_in_one_piece():
    """A space that holds a number together is no place for a line to break."""
    said = speech_of("fr").value("environ\u00a01\u202f234\u00a0jours \n en tout\u00a0", "text")
    assert said == "environ\u00a01\u202f234\u00a0jours en tout"


def test_a_few_late_cases_do_not_empty_the_chart(tmp_path):
    """Over time, the chart shows when things happen, and says what it leaves out; nothing is left out of little."""
    busy = {f"c{n}": [("Apply", n * 300), ("Check", n * 300 + 60)] for n in range(400)}
    late = {"late": [("Apply", 0), ("Check", 600 * 24 * 60)]}
    source = mined(tmp_path / "late", events(busy | late))
    _, phase = reported(tmp_path, [source], reportType="detailed", exportFormats=["JSON"])
    blocks = [b for s in json.loads(files(phase)["report.json"])["sections"] for b in s["blocks"]]
    chart = next(block for block in blocks if block.get("name") == "time-1")
    assert "starts: 0, ends: 1." in chart["note"]
    assert len(chart["labels"]) == 12
    assert [sum(series["values"]) for series in chart["series"]] == [401, 400]
    few = cases_over_time(
        pl.DataFrame(
            {"hour": [minute(0), minute(600 * 24 * 60)], "events": [1, 1], "started": [1, 0], "finished": [0, 1]}
        )
    )
    assert (few.started_outside, few.finished_outside, few.counts.height) == (0, 0, 86)


def test_a_comparison_says_the_period_of_each_run(tmp_path, run):
    """The period of one log is not that of another; a French colon has a space before it."""
    later = [
        event(f"c{n}", step, n * 60 + at + 90 * 24 * 60) for n in range(4) for step, at in (("Apply", 0), ("End", 9))
    ]
    runs = [
        _dated(run, "2024-01-01", "2024-01-31"),
        _dated(mined(tmp_path / "later", later, "April"), "2024-04-01", "2024-04-05"),
    ]
    _, phase = reported(tmp_path, runs, reportType="comparison", exportFormats=["PowerPoint"], language="fr")
    said = slide_texts(files(phase)["report.pptx"])
    assert "Période «\u00a0Loans in January\u00a0»\u00a0: 1er janvier 2024 – 31 janvier 2024" in said
    assert "Période «\u00a0April\u00a0»\u00a0: 1er avril 2024 – 5 avril 2024" in said


def _dated(source, first, last):
    """The run with the time range that loading measures."""
    span = {"timeRange": {"startTime": f"{first}T00:00:00Z", "endTime": f"{last}T00:00:00Z"}}
    loading = next(phase for phase in source.phases if phase.name == "Data Loading")
    phases = tuple(replace(p, results=p.results | span) if p is loading else p for p in source.phases)
    return replace(source, phases=phases)


def test_one_is_one():
    """One more row is not told in the plural."""
    said = [[speech_of(language).counted("more_rows", number) for number in (1, 1200)] for language in LANGUAGES]
    assert said == [
        ["and 1 more row", "and 1,200 more rows"],
        ["ve 1 satır daha", "ve 1.200 satır daha"],
        ["und 1 weitere Zeile", "und 1.200 weitere Zeilen"],
        ["et 1 autre ligne", "et 1\u202f200 autres lignes"],
    ]


def test_prepared_data_add_up_in_the_language_of_the_report(tmp_path):
    """Rows that loading could not use are told beside those that rules removed; types of columns are words."""
    text = "case,activity,time\n1,A,2024-01-01\n1,A,2024-01-01\n1,,2024-01-02\n2,A,2024-01-01\n2,B,2024-01-03\n"
    here = enrichment(tmp_path, text, cleaningRules=["remove_duplicates"], derivedColumns=["is_rework"])
    here.run("Output Generation")
    phases = tuple(Finished(name, done.results, done.folder) for name, done in here.finished.items())
    source = EarlierRun("j-1", "job", "DataEnrichment", "Vorbereitung", {}, phases, ENDED, ENDED)
    _, phase = reported(tmp_path, [source], reportType="detailed", exportFormats=["JSON"], language="de")
    rules, columns = blocks(json.loads(files(phase)["report.json"]), "Table")
    assert rules["rows"] == [["Beim Laden unbrauchbar", 5, 1, 0], ["Dubletten entfernen", 4, 1, 0]]
    assert columns["rows"] == [["is_rework", "ja oder nein", 0]]


def test_yes_and_no_of_own_workloads_are_words(tmp_path):
    """In lists as well as alone."""
    phases = (Finished("Check", {"checks": [{"name": "sums", "passed": True}], "complete": False}, tmp_path),)
    source = EarlierRun("j-1", "job", "Custom", "Prüfung", {}, phases, ENDED, ENDED)
    _, phase = reported(tmp_path, [source], reportType="detailed", exportFormats=["JSON"], language="de")
    alone, listed = blocks(json.loads(files(phase)["report.json"]), "Table")
    assert (alone["rows"], listed["rows"]) == ([["Complete", "nein"]], [["sums", "ja"]])
