"""The process model of a real file, from loading to the files to download: the generated loan log, dirt and all."""

import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from lodestream_server.workloads.mining.loading import load
from lodestream_server.workloads.mining.modelling import discover_process
from lodestream_server.workloads.phase import DatasetFile, Finished
from lodestream_server.workloads.process_models.bpmn import read_bpmn
from lodestream_server.workloads.process_models.pnml import read_pnml
from lodestream_server.workloads.rehearsal import Rehearsal

from lodestream.samples.loan_applications import write_log
from lodestream.samples.loan_process import STEPS, way
from tests.unit.process_model_world import replays

FILES = ["process-model.pnml", "process-model.bpmn", "process-model.svg"]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> Finished:
    """3,000 cases with duplicates, lost events and anomalies, as loading leaves them."""
    folder = tmp_path_factory.mktemp("loans")
    file = folder / "loans.csv"
    write_log(file, cases=3_000)
    return loaded_file(folder, file)


def loaded_file(folder: Path, file: Path) -> Finished:
    """What loading leaves of a CSV file."""
    return Rehearsal(folder / "loading", DatasetFile("d-1", file.name, file, "csv", file.stat().st_size)).run(load)


def modelled(folder: Path, loading: Finished, **parameters: str) -> tuple[dict, Rehearsal]:
    """What discovery says of the model, and the phase."""
    phase = Rehearsal(
        folder, parameters=parameters, name="Process Discovery", earlier={"Data Loading": loading}, run_name="Loans"
    )
    return phase.run(discover_process).results["discoveredModel"], phase


def ways() -> list[tuple[str, ...]]:
    """The different ways that cases of the loan process take before anything is injected."""
    random = Random(7)
    return list(Counter(tuple(way(random, random.choice((5_000, 50_000)))[1]) for _ in range(5_000)))


def test_the_model_of_the_soiled_loan_log_replays_every_clean_way(loaded, tmp_path):
    """Nobody says which cases are clean: noise does not reach the net, rare but regular ways do. The files hold the
    same net, and the diagram the same ways."""
    told, phase = modelled(tmp_path, loaded)

    assert (told["algorithm"], told["requested"], told["files"]) == ("heuristics", "heuristics", FILES)
    assert "activitiesLeftOut" not in told
    net, diagram = read_pnml(phase.out / FILES[0]), read_bpmn(phase.out / FILES[1])
    assert (len(net.places), len(net.transitions), len(net.arcs)) == (told["places"], told["transitions"], told["arcs"])
    for one in (net, diagram):
        assert [trace for trace in ways() if not replays(one, trace)] == []
        assert not replays(one, ("Submit Application", "Close Case"))


def test_the_model_is_published_as_files_that_name_themselves(loaded, tmp_path):
    """Two models and a picture of all activities."""
    _, phase = modelled(tmp_path, loaded)

    assert [(item.path.name, item.type) for item in phase.artifacts] == [
        (FILES[0], "Model"),
        (FILES[1], "Model"),
        (FILES[2], "Visualization"),
    ]
    drawing = "".join(ET.parse(phase.out / FILES[2]).getroot().itertext())
    assert all(name in drawing for name in STEPS)


def test_the_same_log_gives_the_same_files_byte_for_byte(loaded, tmp_path):
    """For each algorithm, in another folder."""
    for algorithm in ("heuristics", "dfg", "alpha_miner_enhanced"):
        told, first = modelled(tmp_path / algorithm / "1", loaded, algorithm=algorithm)
        again, second = modelled(tmp_path / algorithm / "2", loaded, algorithm=algorithm)

        assert told == again
        assert told["algorithm"] == algorithm
        for name in told["files"]:
            assert (first.out / name).read_bytes() == (second.out / name).read_bytes()


def test_a_degenerate_alpha_net_is_replaced_and_said_so(tmp_path):
    """Each activity is recorded twice: alpha knows no way around such loops. Results and a warning say so."""
    rows = ["case_id,activity,timestamp"]
    for case in range(100):
        rows += [f"{case},{name},2024-01-01T{place:02}:00:00Z" for place, name in enumerate("aabbccddee")]
    file = tmp_path / "chaos.csv"
    file.write_text("\n".join(rows), "utf-8")

    told, phase = modelled(tmp_path / "model", loaded_file(tmp_path, file), algorithm="alpha_miner_enhanced")

    assert (told["requested"], told["algorithm"]) == ("alpha_miner_enhanced", "heuristics")
    assert told["fallbackReason"] in [warning.text for warning in phase.warnings]
    assert "a heuristics net answers instead" in told["fallbackReason"]
