"""The catalogue of work and the checks of parameters, before anything is stored."""

import importlib.util
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.built_in import BUILT_IN
from lodestream_server.workloads.catalogue import Catalogue, WorkloadSpec
from lodestream_server.workloads.parameters import Parameter, Reference, references, violations

from lodestream.errors import InvalidField, NotBuilt

MINING = BUILT_IN.find(RunKind.JOB, "ProcessMining")


def test_the_built_in_types_have_their_documented_phases():
    """In the documented words and order."""
    between = ["Process Discovery", "Performance Analysis"]
    operation = BUILT_IN.find(RunKind.OPERATION, "ProcessMiningAnalysis")
    assert [phase.name for phase in MINING.phases] == ["Data Loading", *between, "Report Generation"]
    whole = ["Data Loading & Validation", *between, "Machine Learning Analysis", "Report Generation"]
    assert [phase.name for phase in operation.phases] == whole


def test_every_function_of_the_catalogue_has_its_module():
    """Found without importing it: mining libraries load in the worker alone."""
    before = set(sys.modules)
    for module in BUILT_IN.preload():
        assert importlib.util.find_spec(module), module
    assert not (set(sys.modules) - before) & set(BUILT_IN.preload())


def test_what_is_documented_but_not_built_says_so():
    """Not as a wrong word: the word is right, the work is missing."""
    catalogue = Catalogue([WorkloadSpec(RunKind.JOB, "Tomorrow")])
    with pytest.raises(NotBuilt, match="Tomorrow"):
        catalogue.find(RunKind.JOB, "Tomorrow")


def test_a_report_is_collected_drawn_and_written():
    """In phases of its own; the documented request fits."""
    spec = BUILT_IN.find(RunKind.OPERATION, "ReportGeneration")
    assert [phase.name for phase in spec.phases] == ["Data Collection", "Visualization", "Report Generation"]
    documented = {
        "reportType": "executive_summary",
        "includeVisualizations": True,
        "exportFormats": ["PDF", "PowerPoint"],
    }
    assert violations(spec.parameters, documented) == []
    (violation,) = violations(spec.parameters, documented | {"language": "Klingon"})
    assert violation.description == "must be one of en, tr, de, fr"


def test_an_unknown_type_names_the_known_ones():
    """An operation's type is none of a job."""
    with pytest.raises(InvalidField, match="ProcessMining"):
        BUILT_IN.find(RunKind.JOB, "ProcessMiningAnalysis")


def test_an_unknown_own_type_names_the_field_it_came_in():
    """And the own types that there are."""
    with pytest.raises(InvalidField, match="custom_type: names no type that this server has"):
        BUILT_IN.find(RunKind.JOB, "Tomorrow")
    catalogue = Catalogue([*BUILT_IN, WorkloadSpec(RunKind.JOB, "Tomorrow")])
    with pytest.raises(InvalidField, match=r"custom_type: must be one of Tomorrow$"):
        catalogue.find(RunKind.JOB, "Yesterday")


def test_the_documented_request_fits():
    """The parameters of the documentation's own example, and keys nobody declared."""
    documented = {
        "datasetId": "880e8400-e29b-41d4-a716-446655440000",
        "analysisType": "comprehensive",
        "timeWindow": {"startDate": "2024-01-01", "endDate": "2024-01-31"},
        "algorithmSettings": {"useAdvancedML": True},
        "outputOptions": {"generateReports": True, "exportFormats": ["PDF", "CSV"]},
        "somethingOfMyOwn": [1, 2],
    }
    assert violations(MINING.parameters, documented) == []


@pytest.mark.parametrize(
    ("given_", "field", "fault"),
    [
        ({}, "parameters.datasetId", "is required"),
        ({"datasetId": ""}, "parameters.datasetId", "must not be empty"),
        ({"datasetId": 5}, "parameters.datasetId", "must be a text, not a number"),
        ({"datasetId": "d", "timeWindow": "2024"}, "parameters.timeWindow", "must be an object, not this text"),
        ({"datasetId": "d", "timeWindow": {"endDate": "soon"}}, "parameters.timeWindow.endDate", "must be a date"),
        ({"datasetId": "d", "removeDuplicates": "yes"}, "parameters.removeDuplicates", "must be true or false"),
        (
            {"datasetId": "d", "resourceAllocation": {"priority": "Urgent"}},
            "parameters.resourceAllocation.priority",
            "must be one of Low",
        ),
        (
            {"datasetId": "d", "resourceAllocation": {"memoryGB": 0}},
            "parameters.resourceAllocation.memoryGB",
            "0.1 or more",
        ),
    ],
)
def test_a_wrong_parameter_is_named_with_the_fix(given_, field, fault):
    """Field, fault, fix."""
    (violation,) = violations(MINING.parameters, given_)
    assert violation.field == field
    assert fault in violation.description


_ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@example({"a": float("inf")})
@example({"a": float("nan")})
@example({"a": 10**400})
@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), _ANY))
def test_checking_never_breaks(values):
    """Whatever is sent, the answer is a list of faults."""
    kinds = ["number", "object", "texts"]
    declared = [
        Parameter(name, kind, at_least=0) if kind == "number" else Parameter(name, kind)
        for name, kind in zip("abc", kinds, strict=True)
    ]
    declared += [Parameter("a", "whole"), Parameter("b", "date"), Parameter("c", "flag")]
    assert all(violation.description for violation in violations(declared, values))


def test_what_the_parameters_refer_to_is_found_at_every_depth():
    """In the order of declaration, with the path of each; what is not given refers to nothing."""
    declared = (
        Parameter("datasetId", "dataset"),
        Parameter("compareWith", "object", inside=(Parameter("runId", "run"), Parameter("name"))),
        Parameter("joins", "objects", inside=(Parameter("datasetId", "dataset"),)),
        Parameter("modelResourceId", "resource", of="Model"),
    )
    given = {
        "modelResourceId": "m",
        "datasetId": None,
        "compareWith": {"runId": "r", "name": "x"},
        "joins": [{}, {"datasetId": "d"}],
    }
    assert references(declared, given) == [
        Reference("run", "parameters.compareWith.runId", "r"),
        Reference("dataset", "parameters.joins[1].datasetId", "d"),
        Reference("resource", "parameters.modelResourceId", "m", "Model"),
    ]
    assert references(declared, {"joins": None}) == []


def test_an_enrichment_is_checked_without_loading_a_mining_library():
    """Whatever the values are, faults are told with their fields, and nothing breaks."""
    program = (
        "import sys\n"
        "from lodestream_server.runs.states import RunKind\n"
        "from lodestream_server.workloads.built_in import BUILT_IN\n"
        "spec = BUILT_IN.find(RunKind.JOB, 'DataEnrichment')\n"
        "print(spec.faults({}), [one.field for one in spec.faults(dict.fromkeys("
        "['cleaningRules', 'derivedColumns', 'expressions', 'joins'], 5))])\n"
        "print(sorted({'polars', 'pyarrow', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    fields = ["cleaningRules", "derivedColumns", "expressions", "joins"]
    assert done.stdout.splitlines() == [f"[] {[f'parameters.{name}' for name in fields]}", "[]"]
