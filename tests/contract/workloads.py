"""Documented types of work that do next to nothing, so that the contract can be tried on a real server in seconds.

ProcessMining and ProcessMiningAnalysis count to `records` and leave a file; both DataEnrichments wait for a file
(`gate`); Analysis and ReportGeneration refuse their data; Notebook is not built.
"""

from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.catalogue import Catalogue, PhaseSpec, WorkloadSpec
from lodestream_server.workloads.parameters import Parameter

PHASES = "tests.workloads.phases"
_KNOWN = (Parameter("records", "whole", at_least=1), Parameter("gate"), Parameter("datasetId"))


def _work(kind: RunKind, type_: str, *phases: tuple[str, str]) -> WorkloadSpec:
    specs = tuple(PhaseSpec(name, f"{PHASES}:{function}", component="Tester") for name, function in phases)
    return WorkloadSpec(kind, type_, specs, _KNOWN, cpu_units=1.0)


_COUNT = (("Count", "count"), ("Add", "add"))
_WAIT = (("Count", "count"), ("Wait", "wait"))
CATALOGUE = Catalogue(
    (
        _work(RunKind.JOB, "ProcessMining", *_COUNT),
        _work(RunKind.JOB, "DataEnrichment", *_WAIT),
        _work(RunKind.JOB, "Analysis", ("Only", "bad_input")),
        WorkloadSpec(RunKind.JOB, "Notebook"),
        _work(RunKind.OPERATION, "ProcessMiningAnalysis", *_COUNT),
        _work(RunKind.OPERATION, "DataEnrichment", *_WAIT),
        _work(RunKind.OPERATION, "ReportGeneration", ("Only", "bad_input")),
    )
)
