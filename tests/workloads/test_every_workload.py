"""What every built-in type of work promises: progress that only rises and ends at its total, a stop wherever it is
asked for, and the same bytes when it is done again after an interruption.
"""

import hashlib
import threading
from pathlib import Path

import orjson
import pytest
from lodestream_server.runs.bodies import Sampled
from lodestream_server.worker import pulse
from lodestream_server.worker.checkpoint import MANIFEST
from lodestream_server.worker.pulse import Pulse, Sampler
from lodestream_server.worker.reporter import Reporter
from lodestream_server.worker.v1 import worker_pb2 as wire
from lodestream_server.worker.working import Work
from lodestream_server.workloads.phase import Cancelled

from tests.workloads.every_world import GIVEN, NAMES, SPECS, Every, every, function

#: Places at which each phase is stopped, spread over its cancel points.
STOPS = 2

#: Files that may differ: a checkpoint's own account holds durations; the engine that turns the map into a PDF lists its
#: fonts in any order.
UNLIKE = (MANIFEST, "process-map.pdf")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Every:
    """The log and the earlier run of all tests."""
    return every(tmp_path_factory.mktemp("every"))


@pytest.fixture(scope="module", params=SPECS, ids=NAMES)
def ran(request, world, tmp_path_factory):
    """A type of work, its folder, and its phases, run to their end."""
    folder = tmp_path_factory.mktemp("ran")
    return request.param, folder, world.run(request.param, folder)


def test_progress_only_rises_and_ends_at_its_total(ran):
    """In records and in percent, in every phase."""
    for name, (phase, _) in ran[2].items():
        assert phase.total is not None, name
        assert phase.done == phase.total, name
        known, shares = None, []
        for done, total, _ in phase.progressed:
            known = total if total is not None else known
            if known:
                shares.append(done / known)
        assert shares == sorted(shares), name


def test_every_phase_stops_wherever_it_is_asked_to(ran, world, tmp_path):
    """At the first cancel point, at the last, and at some between; it leaves nothing published as finished."""
    spec, _, made = ran
    for step in spec.phases:
        points = made[step.name][0].checks
        assert points >= 2, step.name
        done = {name: finished for name, (_, finished) in made.items()}
        if spec.type == "Notebook":  # stopping kernels has tests of its own
            stops = {0}
        else:
            stops = {0, points - 2, *range(points // STOPS, points - 1, max(1, points // STOPS))}
        for stop in sorted(stops):
            phase = world.phase(spec, step, tmp_path / f"{stop}", done, cancel_after=stop)
            with pytest.raises(Cancelled):
                phase.run(function(step))


def test_phases_say_what_they_do(ran):
    """Every phase that reads the log has at least one line, and names its activity."""
    for name, (phase, _) in ran[2].items():
        assert any(activity for _, _, activity in phase.progressed), name


def test_files_are_published_once_and_with_a_name(ran):
    """Under names that people read, each file once."""
    for name, (phase, _) in ran[2].items():
        paths = [item.path for item in phase.artifacts]
        assert len(paths) == len(set(paths)), name
        assert all(item.name for item in phase.artifacts), name


def assignment(world: Every, spec, folder: Path, phases: int) -> wire.Assignment:
    """The first phases of a type as the worker gets them."""
    orders = [
        wire.PhaseOrder(name=one.name, function=one.function, version=one.version) for one in spec.phases[:phases]
    ]
    data = wire.Dataset(
        dataset_id="loans",
        name="loans.csv",
        path=str(world.dataset.path),
        format="csv",
        size_bytes=world.dataset.size_bytes,
    )
    given = orjson.dumps(GIVEN.get(spec.type, {}))
    return wire.Assignment(run_id="r", epoch=1, parameters=given, phases=orders, folder=str(folder), dataset=data)


def worked(world: Every, spec, folder: Path, phases: int) -> str:
    """Works through the first phases as a worker does."""
    folder.mkdir(exist_ok=True)
    order = assignment(world, spec, folder, phases)
    ended = Work(order, Reporter(lambda frame: None), Sampler(folder), threading.Event()).run()
    return str(ended.WhichOneof("how"))


def contents(folder: Path) -> dict[str, str]:
    """Fingerprints of all files of all phases but `UNLIKE`."""
    files = [path for path in sorted((folder / "phases").rglob("*")) if path.is_file() and path.name not in UNLIKE]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(
    "spec", [spec for spec in SPECS if spec.type not in ("Notebook", "ReportGeneration")], ids=lambda spec: spec.type
)
def test_a_resumed_run_leaves_the_bytes_of_a_fresh_one(world, tmp_path, spec):
    """Broken off before its last phase and taken up again; kept phases are not done again."""
    last = len(spec.phases)
    assert worked(world, spec, tmp_path / "fresh", last) == "completed"
    assert worked(world, spec, tmp_path / "resumed", last - 1) == "completed"
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "resumed" / "phases").rglob("*") if path.is_file()}
    assert worked(world, spec, tmp_path / "resumed", last) == "completed"
    assert {path: path.stat().st_mtime_ns for path in before} == before
    fresh = contents(tmp_path / "fresh")
    assert fresh
    assert contents(tmp_path / "resumed") == fresh


def test_a_long_step_gives_signs_of_life(monkeypatch, tmp_path):
    """However long a step says nothing itself: another thread tells that it lives and since when. Here its rhythm is
    fast; as it is set, it is below five seconds."""
    assert max(pulse.ALIVE_EVERY_S, pulse.SAMPLE_EVERY_S) < 5
    monkeypatch.setattr(pulse, "ALIVE_EVERY_S", 0.01)
    monkeypatch.setattr(pulse, "SAMPLE_EVERY_S", 0.01)
    sampler, enough = Sampler(tmp_path), threading.Event()
    signs: list[int] = []
    samples: list[Sampled] = []

    def sample() -> None:
        samples.append(sampler.sample("Long"))
        if len(samples) > 3 and len(signs) > 3:
            enough.set()

    beating = Pulse(lambda: signs.append(1), sample)
    assert enough.wait(10)
    beating.close()
    elapsed = [one.elapsed_s for one in samples]
    assert elapsed == sorted(elapsed)
    assert elapsed[-1] > elapsed[0]
