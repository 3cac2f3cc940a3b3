"""Every parameter of mining that leaves something out or adds something does so: what a run has with it, what without.

One log, one row per parameter; both workloads declare the same parameters.
"""

import re

import pytest
from lodestream_server.worker.checkpoint import Parameters
from lodestream_server.workloads.catalogue import WorkloadSpec
from lodestream_server.workloads.declared import mining
from lodestream_server.workloads.learning.beside import analyse as analyse_of_jobs
from lodestream_server.workloads.learning.phase import learn
from lodestream_server.workloads.learning.wishes import EFFORTS, wishes
from lodestream_server.workloads.mining.performance import analyse
from lodestream_server.workloads.mining.report import report
from lodestream_server.workloads.mining.wishes import METRICS, TYPES
from lodestream_server.workloads.phase import Finished
from lodestream_server.workloads.rehearsal import Published

from tests.unit.mining_world import Cases, events, world

CASES = 120
_QUICK = {"performanceOptimization": "high_throughput"}


def orders() -> Cases:
    """Three people handle 120 orders, one every three hours: most wait for packing; each tenth is checked twice, and
    each fourth asks as often as
    no other."""
    found: Cases = {}
    for number in range(CASES):
        at, who = number * 180, {"resource": f"clerk {number % 3}"}
        odd = [("ask", at + 15 + turn, who) for turn in range(number // 4)] if number % 4 == 0 else []
        again = [("check", at + 12, who)] if number % 10 == 0 else []
        found[f"order {number:03d}"] = [
            ("enter", at, {**who, "start": at - 5}),
            ("check", at + 10, {**who, "start": at + 8}),
            *again,
            *odd,
            ("pack", at + 300 + number % 7, {**who, "start": at + 290}),
        ]
    return found


class Base:
    """The discovered log, and phases that have run on it: like a retry, a run takes over those that read nothing that
    it changes."""

    def __init__(self, folder):
        self.folder = folder
        self.world = world(folder, events(orders()))
        self.world.discover()
        self.kept = []

    def run(self, name, function, before, parameters):
        """The phase after the finished ones in `before`, and what it published."""
        for known, inputs, read, finished, artifacts in self.kept:
            same = all(parameters.get(key) == value for key, value in read.items())
            if (known, inputs) == (function, [one.folder for one in before]) and same:
                return finished, artifacts
        noted = Parameters(parameters)
        phase = self.world.phase(name, parameters=noted)
        phase.earlier = {**self.world.earlier, **{one.name: one for one in before}}
        finished = phase.run(function)
        assert phase.done == phase.total
        read = {key: parameters.get(key) for key in noted.read}
        self.kept.append((function, [one.folder for one in before], read, finished, phase.artifacts))
        return finished, phase.artifacts


class Mined:
    """The phases after discovery over `orders`, each with these parameters."""

    def __init__(self, base, kind="operation", **parameters):
        self.files: dict[str, Published] = {}
        done: list[Finished] = []
        phases = [("Performance Analysis", analyse_of_jobs)]
        if kind == "operation":
            phases = [("Performance Analysis", analyse), ("Machine Learning Analysis", learn)]
        for name, function in [*phases, ("Report Generation", report)]:
            finished, artifacts = base.run(name, function, done, parameters)
            done.append(finished)
            self.files |= {item.path.name: item for item in artifacts}
        self.results = {one.name: one.results for one in done}
        self.folder = done[-1].folder

    @property
    def performance(self):
        """Results of performance analysis."""
        return self.results["Performance Analysis"]

    @property
    def learned(self):
        """Results of learning, wherever it is done."""
        return self.results.get("Machine Learning Analysis") or self.performance.get("learning", {})

    @property
    def topics(self):
        """What recommendations are about."""
        return {item["topic"] for item in self.results["Report Generation"]["recommendations"]}

    @property
    def sections(self):
        """Sections of the page."""
        return set(re.findall(r'<section id="(\w+)"', (self.folder / "report.html").read_text("utf-8")))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The log of all tests."""
    return Base(tmp_path_factory.mktemp("orders"))


@pytest.fixture(scope="module")
def usual(base):
    """A run that asks for nothing: it has everything."""
    return Mined(base, algorithmSettings=_QUICK)


@pytest.fixture(scope="module")
def usual_job(base):
    """The same as a job."""
    return Mined(base, "job")


#: What a run with all of it has, and how to see it.
HAS = {
    "variant files": lambda run: "variants.csv" in run.files,
    "variant section": lambda run: "variants" in run.sections,
    "variant advice": lambda run: "variants" in run.topics,
    "bottlenecks": lambda run: bool(run.performance["bottlenecks"] and run.performance["bottleneckSteps"]),
    "bottleneck section": lambda run: "bottlenecks" in run.sections,
    "bottleneck advice": lambda run: "bottleneck" in run.topics,
    "resources": lambda run: "resources" in run.performance,
    "resource section": lambda run: "resources" in run.sections,
    "cycle figures": lambda run: (
        {"averageCycleTime", "medianCycleTime"} <= run.performance["performanceMetrics"].keys()
    ),
    "waiting figure": lambda run: "averageWaitingTime" in run.performance["performanceMetrics"],
    "use figure": lambda run: "resourceUtilization" in run.performance["performanceMetrics"],
    "advice": lambda run: bool(run.topics),
    "anomalies": lambda run: (
        run.learned.get("anomalies", {}).get("casesScored") == CASES and "anomalies.csv" in run.files
    ),
    "predictions": lambda run: "cycleTimePrediction" in run.learned.get("predictions", {}),
    "models": lambda run: "models.zip" in run.files,
    "boosting": lambda run: run.learned.get("predictions", {}).get("boosting") is True,
    "patterns": lambda run: "patterns" in run.learned,
    "learning section": lambda run: "learning" in run.sections,
    "report": lambda run: "report.html" in run.files,
    "map": lambda run: "process-map.svg" in run.files,
    "csv": lambda run: "enriched-log.csv" in run.files,
    "parquet": lambda run: "enriched-log.parquet" in run.files,
    "json": lambda run: "results.json" in run.files,
    "pdf": lambda run: "report.pdf" in run.files,
}
_VARIANTS = {"variant files", "variant section", "variant advice"}
_BOTTLENECKS = {"bottlenecks", "bottleneck section", "bottleneck advice"}
_RESOURCES = {"resources", "resource section", "use figure"}
_LEARNING = {"anomalies", "predictions", "models", "boosting", "patterns", "learning section"}
_ADVICE = {"advice", "variant advice", "bottleneck advice"}
_REPORT = {"report", "variant section", "bottleneck section", "resource section", "learning section"}


def had(run, without=()):
    """What the run has. Sections are looked up on the page; without a page there are none."""
    return {name for name, seen in HAS.items() if name not in without and seen(run)}


#: Parameters -> what they take away from a run that has everything but JSON and PDF, and what they add.
TABLE = [
    ({"enableVariantAnalysis": False}, _VARIANTS, set()),
    ({"includeProcessVariants": False}, _VARIANTS, set()),
    ({"enableBottleneckDetection": False}, _BOTTLENECKS, set()),
    ({"analysisType": "comprehensive"}, set(), set()),
    ({"analysisType": "performance"}, _VARIANTS, set()),
    ({"analysisType": "bottleneck"}, _VARIANTS | _RESOURCES, set()),
    ({"analysisType": "variants"}, _BOTTLENECKS | _RESOURCES, set()),
    ({"analysisType": "resources"}, _VARIANTS | _BOTTLENECKS, set()),
    ({"analysisType": "bottleneck", "enableVariantAnalysis": True}, _RESOURCES, set()),
    ({"performanceMetrics": ["cycle_time"]}, _BOTTLENECKS | _RESOURCES | {"waiting figure"}, set()),
    ({"performanceMetrics": ["waiting_time"]}, _RESOURCES | {"cycle figures"}, set()),
    ({"performanceMetrics": ["resource_utilization"]}, _BOTTLENECKS | {"cycle figures", "waiting figure"}, set()),
    ({"generateOptimizationRecommendations": False}, _ADVICE, set()),
    ({"generateInsights": False}, _ADVICE, set()),
    ({"includeAnomalyDetection": False}, {"anomalies"}, set()),
    ({"algorithmSettings": {"enableAnomalyDetection": False}}, {"anomalies"}, set()),
    ({"algorithmSettings": {"useAdvancedML": False}}, {"boosting"}, set()),
    ({"enableML": False}, {"anomalies", "predictions", "models", "boosting"}, set()),
    ({"outputOptions": {"createVisualizations": False}}, {"map"}, set()),
    ({"outputOptions": {"exportFormats": ["CSV"]}}, {"parquet"}, set()),
    ({"outputOptions": {"exportFormats": ["PDF", "CSV", "JSON"]}}, {"parquet"}, {"json", "pdf"}),
    (
        {"outputOptions": {"exportFormats": ["PDF"], "createVisualizations": False}},
        {"map", "csv", "parquet", "variant files"},
        {"pdf"},
    ),
    ({"outputFormat": "processed_csv"}, {"parquet"}, set()),
    ({"outputFormat": "detailed_report"}, set(), set()),
]


@pytest.mark.parametrize(("given", "gone", "added"), TABLE, ids=[str(given) for given, _, _ in TABLE])
def test_a_parameter_of_the_operation_changes_what_it_says_and_nothing_else(base, usual, given, gone, added):
    """Compared with a run without parameters."""
    settings = _QUICK | given.get("algorithmSettings", {})
    run = Mined(base, **{**given, "algorithmSettings": settings})
    assert had(run) == (had(usual) - gone) | added


def test_a_run_without_parameters_has_everything(usual):
    """But files in formats that nobody asked for."""
    assert had(usual) == HAS.keys() - {"json", "pdf"}


def test_without_a_report_there_is_no_page(tmp_path):
    """The other files are made as ever."""
    made = world(tmp_path, events(orders()))
    _, phase = made.report(outputOptions={"generateReports": False})
    assert {item.path.name for item in phase.artifacts} == {
        "process-map.svg",
        "variants.csv",
        "enriched-log.csv",
        "enriched-log.parquet",
    }


#: Parameters of a job -> what they add to one that asks for nothing.
JOBS = [
    ({"includeAnomalyDetection": True}, {"anomalies", "models", "patterns", "learning section"}),
    ({"algorithmSettings": {"enableAnomalyDetection": True}}, {"anomalies", "models", "patterns", "learning section"}),
    ({"enableML": True, "algorithmSettings": _QUICK}, _LEARNING),
    ({"algorithmSettings": {"useAdvancedML": True, **_QUICK}}, _LEARNING - {"anomalies"}),
    ({"enableML": True, "includeAnomalyDetection": False, "algorithmSettings": _QUICK}, _LEARNING - {"anomalies"}),
    ({"includeAnomalyDetection": False}, set()),
]


@pytest.mark.parametrize(("given", "added"), JOBS, ids=[str(given) for given, _ in JOBS])
def test_a_job_learns_what_it_asks_for(base, usual_job, given, added):
    """In its four documented stages; without asking it learns nothing."""
    run = Mined(base, "job", **given)
    assert not _LEARNING & had(usual_job)
    assert had(run) == had(usual_job) | added
    assert ("anomaliesDetected" in run.performance) == ("anomalies" in added)
    assert run.results.keys() == {"Performance Analysis", "Report Generation"}


@pytest.mark.parametrize("word", EFFORTS)
def test_performance_optimization_chooses_the_effort_of_training(word):
    """See docs/learning.md for the figures."""
    assert wishes({"algorithmSettings": {"performanceOptimization": word}}).effort is EFFORTS[word]
    assert wishes({}).effort.name == "balanced"


@pytest.mark.parametrize("spec", [mining.JOB, mining.OPERATION], ids=["job", "operation"])
def test_the_declared_words_are_the_known_ones(spec: WorkloadSpec):
    """Whatever passes submission does something."""
    declared = {parameter.name: parameter for parameter in spec.parameters}
    settings = {parameter.name: parameter for parameter in declared["algorithmSettings"].inside}
    assert set(declared["analysisType"].words) == TYPES.keys()
    assert set(declared["performanceMetrics"].words) == METRICS.keys()
    assert set(settings["performanceOptimization"].words) == {"balanced", *EFFORTS}


def test_what_was_not_looked_for_is_said(base):
    """Nobody takes "not looked for" for "none found": neither on the page nor in the results."""
    run = Mined(base, "job", analysisType="variants", generateInsights=False)
    page = (run.folder / "report.html").read_text("utf-8")
    assert run.performance["leftOut"] == ["bottlenecks", "resources"]
    assert "bottleneckActivities" not in run.performance["performanceMetrics"]
    assert "stands out as a bottleneck" not in page
    assert "None were asked for." in page
