"""Reports tell what a mining run learned, wherever it did: in a phase of its own or beside performance."""

import io
import re
import zipfile

import pytest
from lodestream_server.workloads.learning.beside import analyse
from lodestream_server.workloads.learning.phase import learn
from lodestream_server.workloads.phase import EarlierRun
from lodestream_server.workloads.reporting.reasons import in_english, reasons_of
from lodestream_server.workloads.reporting.speech import LANGUAGES, speech_of

from tests.unit.mining_world import events, world
from tests.unit.reporting_world import Page, files, reported
from tests.workloads.test_mining_parameters import orders

_QUICK = {"algorithmSettings": {"performanceOptimization": "high_throughput"}, "enableML": True}


@pytest.fixture(scope="module", params=["operation", "job"])
def run(request, tmp_path_factory):
    """A mining run that has learned, and what it found: above all an order that nobody checked."""
    cases = orders()
    enter, _, pack = cases["order 007"]
    cases["order 007"] = [enter, (pack[0], pack[1] + 20 * 24 * 60, {"resource": "nobody's clerk"})]
    made = world(tmp_path_factory.mktemp("mined"), events(cases))
    made.discover()
    if request.param == "job":
        phase = made.phase("Performance Analysis", parameters=_QUICK)
        made.earlier["Performance Analysis"] = phase.run(analyse)
        learned = made.earlier["Performance Analysis"].results["learning"]
    else:
        made.analyse()
        phase = made.phase("Machine Learning Analysis", parameters=_QUICK)
        made.earlier["Machine Learning Analysis"] = phase.run(learn)
        learned = made.earlier["Machine Learning Analysis"].results
    made.earlier["Report Generation"], _ = made.report(outputOptions={"exportFormats": ["JSON"]})
    phases = tuple(made.earlier.values())
    return EarlierRun("op-1", "operation", "ProcessMiningAnalysis", "Orders", {}, phases), learned


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_tells_of_anomalies_and_predictions(tmp_path, run, language):
    """In every language: how many cases are unusual, which comes first, how good predictions are."""
    source, learned = run
    _, phase = reported(tmp_path, [source], reportType="detailed", exportFormats=["HTML"], language=language)
    text, speech = Page(files(phase)["report.html"].decode()).text, speech_of(language)
    assert speech.say("section.learning") in text
    assert speech.percent(learned["predictions"]["pathPrediction"]["accuracy"]) in text
    assert learned["anomalies"]["top"][0]["caseId"] in text
    assert speech.say("served." + learned["predictions"]["pathPrediction"]["served"]) in text
    assert reasons_of(learned["anomalies"]["top"][0], speech, 2) in text


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_no_english_sentence_remains_in_a_report_of_another_language(tmp_path, run, language):
    """Whatever the format, nothing that the English texts say is in it."""
    formats = ["PDF", "PowerPoint", "HTML", "Excel", "CSV", "JSON"]
    _, phase = reported(tmp_path, [run[0]], reportType="detailed", exportFormats=formats, language=language)
    said = {name: _texts(content) for name, content in files(phase).items()}
    said["report.pdf"] = (phase.scratch / "pdf" / "data.json").read_text("utf-8")
    for name, text in said.items():
        assert not [words for words in _english(language) if words in text], name


def test_reasons_are_said_in_every_language_from_the_same_figures(run):
    """The results keep their English words, which are those of their figures."""
    for row in run[1]["anomalies"]["top"]:
        assert [in_english(**reason) for reason in row["reasonFigures"]] == row["reasons"]
    first = run[1]["anomalies"]["top"][0]
    said = {language: reasons_of(first, speech_of(language), 3) for language in LANGUAGES}
    assert first["caseId"] == "order 007"
    assert "“check” is missing; 99.2\u00a0% of cases have it" in said["en"]
    assert "„check“ fehlt; 99,2\u00a0% der Fälle enthalten es" in said["de"]
    assert "«\u00a0check\u00a0» manque\u00a0; 99,2\u00a0% des cas la comportent" in said["fr"]
    assert "“check” eksik; bulunduğu vakaların payı %99,2" in said["tr"]


def test_reasons_of_earlier_versions_keep_their_words():
    """A run that was stored before reasons had figures is told as it was."""
    assert reasons_of({"reasons": ["took 9 days", "6 rare steps"]}, speech_of("de"), 1) == "Took 9 days."


def _english(language: str) -> set[str]:
    """Every piece of two words or more that only the English texts have."""
    own = " ".join(speech_of(language).texts.values())
    pieces = {piece.strip() for text in speech_of("en").texts.values() for piece in re.split(r"\{\w+\}", text)}
    return {piece for piece in pieces if len(piece) > 8 and " " in piece and piece not in own}


def _texts(content: bytes) -> str:
    """What a file says; of an archive, what all its members say."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content.decode("utf-8", "ignore")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return "\n".join(_texts(archive.read(name)) for name in archive.namelist())
