"""Reports tell what a mining run learned, wherever it did: in a phase of its own or beside performance."""

import pytest
from lodestream_server.workloads.learning.beside import analyse
from lodestream_server.workloads.learning.phase import learn
from lodestream_server.workloads.phase import EarlierRun
from lodestream_server.workloads.reporting.speech import LANGUAGES, speech_of

from tests.unit.mining_world import events, world
from tests.unit.reporting_world import Page, files, reported
from tests.workloads.test_mining_parameters import orders

_QUICK = {"algorithmSettings": {"performanceOptimization": "high_throughput"}, "enableML": True}


@pytest.fixture(scope="module", params=["operation", "job"])
def run(request, tmp_path_factory):
    """A mining run that has learned, and what it found."""
    made = world(tmp_path_factory.mktemp("mined"), events(orders()))
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
