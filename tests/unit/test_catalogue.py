"""The catalogue of work and the checks of parameters, before anything is stored."""

import importlib.util
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.built_in import BUILT_IN
from lodestream_server.workloads.catalogue import Catalogue, WorkloadSpec
from lodestream_server.workloads.parameters import Parameter, violations

from lodestream.errors import InvalidField, NotBuilt

MINING = BUILT_IN.find(RunKind.JOB, "ProcessMining")


def test_the_built_in_types_have_their_documented_phases():
    """In the documented words and order."""
    after = ["Process Discovery", "Performance Analysis", "Report Generation"]
    operation = BUILT_IN.find(RunKind.OPERATION, "ProcessMiningAnalysis")
    assert [phase.name for phase in MINING.phases] == ["Data Loading", *after]
    assert [phase.name for phase in operation.phases] == ["Data Loading & Validation", *after]


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
