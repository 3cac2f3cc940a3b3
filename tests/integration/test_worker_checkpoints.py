"""Checkpoints: kept when nothing they came from has changed, done again when anything has. Runs `Work` without a
server."""

import errno
import json
import threading
from pathlib import Path

import orjson
import pytest
from lodestream_server.runs.codec import decode
from lodestream_server.worker.checkpoint import MANIFEST
from lodestream_server.worker.pulse import Sampler
from lodestream_server.worker.reporter import Reporter
from lodestream_server.worker.v1 import worker_pb2 as wire
from lodestream_server.worker.working import Work
from lodestream_server.workloads.phase import BadInput, Phase


def first(phase: Phase) -> dict[str, object]:
    """Reads one parameter, writes a file."""
    (phase.out / "deep").mkdir()
    path = phase.out / "deep" / "a.txt"
    path.write_text(str(phase.parameters["a"]))
    phase.artifact(path, name="A", type="Dataset")
    phase.log("INFO", "first ran")
    return {"a": phase.parameters["a"], "not_a_number": float("nan")}


def second(phase: Phase) -> dict[str, object]:
    """Reads another parameter, and the first phase's file."""
    (phase.scratch / "big").write_text("temporary")
    phase.log("INFO", "second ran")
    return {"b": phase.parameters.get("b"), "a": (phase.before("First").folder / "deep" / "a.txt").read_text()}


def stray(phase: Phase) -> dict[str, object]:
    """Wants to publish what is not its own."""
    phase.artifact(Path("/etc/hostname"), name="X", type="Dataset")
    return {}


def filling(phase: Phase) -> dict[str, object]:
    """Writes until the disk is full."""
    (phase.out / "half").write_text("done")
    (phase.scratch / "notes").write_text("many")
    phase.log("INFO", "nearly done")
    raise OSError(errno.ENOSPC, "No space left on device")


def leaving(phase: Phase) -> dict[str, object]:
    """Fails, but leaves a file the first time; writes it whole the second."""
    path = phase.out / "notes" / "a.txt"
    path.parent.mkdir()
    path.write_text("half")
    (phase.out / "other.txt").write_text("goes away")
    if not phase.parameters.get("whole"):
        phase.leave(path, name="A", type="Report", description="As far as it came.")
        raise BadInput("no")
    phase.artifact(path, name="A", type="Report")
    return {}


def _order(folder: Path, *functions: str, epoch: int = 1, known: tuple[str, ...] = (), **parameters) -> wire.Assignment:
    orders = [
        wire.PhaseOrder(name=name.capitalize(), function=f"{__name__}:{name}", version=1, known_complete=name in known)
        for name in functions
    ]
    encoded = orjson.dumps(parameters)
    return wire.Assignment(run_id="r", epoch=epoch, parameters=encoded, phases=orders, folder=str(folder))


def _work(order: wire.Assignment, stop: threading.Event | None = None):
    frames: list[wire.FromWorker] = []
    Path(order.folder).mkdir(exist_ok=True)
    reporter = Reporter(frames.append)
    ended = Work(order, reporter, Sampler(Path(order.folder)), stop or threading.Event()).run()
    told = [decode(fact.kind, fact.body) for frame in frames for fact in frame.facts.facts]
    return ended.WhichOneof("how"), told


def _ran(told) -> list[str]:
    return [body.message.split()[0] for body in told if body.KIND == "logged"]


def _kept(told) -> list[bool]:
    return [body.kept for body in told if body.KIND == "phase-completed"]


def test_a_second_attempt_keeps_everything_that_still_fits(tmp_path):
    """Nothing is run again, and what the log does not have yet is told, artifacts included."""
    assert _work(_order(tmp_path / "run", "first", "second", a=1))[0] == "completed"
    how, told = _work(_order(tmp_path / "run", "first", "second", epoch=2, a=1))
    assert (how, _ran(told), _kept(told)) == ("completed", [], [True, True])
    assert [body.KIND for body in told] == [
        "phase-started",
        "artifact-stored",
        "phase-completed",
        "phase-started",
        "phase-completed",
    ]


def test_what_the_log_has_already_is_not_told_twice(tmp_path):
    """A phase whose end was committed is kept in silence."""
    _work(_order(tmp_path / "run", "first", "second", a=1))
    assert _work(_order(tmp_path / "run", "first", "second", known=("first", "second"), a=1))[1] == []


def test_a_changed_parameter_runs_the_phases_that_read_it_and_those_after(tmp_path):
    """`b` is read by the second phase alone; `a` by the first, whose files the second builds on; `c` by nobody."""
    _work(_order(tmp_path / "run", "first", "second", a=1, b=1))
    assert _ran(_work(_order(tmp_path / "run", "first", "second", a=1, b=1, c=9))[1]) == []
    assert _ran(_work(_order(tmp_path / "run", "first", "second", a=1, b=2))[1]) == ["second"]
    assert _ran(_work(_order(tmp_path / "run", "first", "second", a=2, b=2))[1]) == ["first", "second"]


@pytest.mark.parametrize("harm", ["changed", "shorter", "gone", "manifest"])
def test_a_harmed_checkpoint_is_made_again(tmp_path, harm):
    """Sizes and hashes are checked before anything is trusted."""
    run = tmp_path / "run"
    _work(_order(run, "first", "second", a="xyz"))
    folder = run / "phases" / "01-first"
    file = folder / "deep" / "a.txt"
    match harm:
        case "changed":
            file.write_text("xyZ")
        case "shorter":
            file.write_text("xy")
        case "gone":
            file.unlink()
        case "manifest":
            (folder / MANIFEST).write_text("{")
    how, told = _work(_order(run, "first", "second", epoch=2, a="xyz"))
    # The second phase is kept: the first one's new files are the same as before.
    assert (how, _ran(told)) == ("completed", ["first"])


def test_nothing_half_done_stays(tmp_path):
    """Folders of broken-off attempts and of temporary files are gone; the manifest tells where a phase came from."""
    run = tmp_path / "run"
    (run / "phases" / "01-first.7.partial").mkdir(parents=True)
    _work(_order(run, "first", "second", epoch=8, a=1))
    assert sorted(path.name for path in (run / "phases").iterdir()) == ["01-first", "02-second"]
    assert not (run / "scratch").exists()
    manifest = json.loads((run / "phases" / "01-first" / MANIFEST).read_bytes())
    assert [file["path"] for file in manifest["files"]] == ["deep/a.txt"]
    assert set(manifest["parameters"]) == {"a"}
    assert manifest["results"] == {"a": 1, "not_a_number": None}


def test_a_run_that_was_stopped_before_it_began_does_nothing(tmp_path):
    """The flag is seen before the first phase."""
    stop = threading.Event()
    stop.set()
    how, told = _work(_order(tmp_path / "run", "first", a=1), stop)
    assert (how, _ran(told)) == ("stopped", [])


def test_only_a_phases_own_files_can_be_published(tmp_path):
    """A path outside the out folder is a fault of the workload, and nothing is published."""
    how, told = _work(_order(tmp_path / "run", "stray"))
    assert how == "failed"
    assert "artifact-stored" not in [body.KIND for body in told]


def test_a_phase_that_fails_gives_its_space_back_before_anything_more_is_to_be_stored(tmp_path):
    """Or the store, on the same full disk, could never take the failure."""
    there: list[list[Path]] = []
    reporter = Reporter(lambda frame: there.append([path for path in tmp_path.rglob("*") if path.is_file()]))
    ended = Work(_order(tmp_path, "filling"), reporter, Sampler(tmp_path), threading.Event()).run()
    assert (ended.failed.reason, there[-1]) == ("DISK_FULL", [])


def test_what_a_failing_phase_leaves_is_published_and_the_rest_goes(tmp_path):
    """And an attempt that succeeds puts the whole file in its place, under the same id."""
    how, told = _work(_order(tmp_path / "run", "leaving"))
    (left,) = [body for body in told if body.KIND == "artifact-stored"]
    assert (how, left.name, left.phase, left.description) == ("failed", "A", "Leaving", "As far as it came.")
    assert (tmp_path / "run" / left.path).read_text() == "half"
    assert not list((tmp_path / "run" / "phases").iterdir())
    how, told = _work(_order(tmp_path / "run", "leaving", epoch=2, whole=True))
    (whole,) = [body for body in told if body.KIND == "artifact-stored"]
    assert (how, whole.artifact_id) == ("completed", left.artifact_id)
