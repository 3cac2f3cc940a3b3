"""Working through a run: phase after phase, keeping what an earlier attempt finished, leaving a checkpoint after each.

Everything a phase said is sent before its end, and its end travels in one report with its artifacts: they become
durable together.
"""

import contextlib
import errno
import importlib
import shutil
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import cast

import orjson

from lodestream import __version__
from lodestream_server.runs.bodies import ArtifactStored, PhaseCompleted, PhaseStarted
from lodestream_server.worker import checkpoint, given
from lodestream_server.worker.checkpoint import Manifest, Parameters
from lodestream_server.worker.live_phase import LivePhase, Published, plain
from lodestream_server.worker.pulse import Sampler
from lodestream_server.worker.reporter import Reporter
from lodestream_server.worker.v1 import worker_pb2 as wire
from lodestream_server.workloads.phase import BadInput, Cancelled, Finished, PhaseFunction


class Work:
    """One assignment. `run` returns how it ended and raises nothing."""

    def __init__(self, order: wire.Assignment, reporter: Reporter, sampler: Sampler, stop: threading.Event) -> None:
        self._order = order
        self._reporter = reporter
        self._sampler = sampler
        self._stop = stop
        self._folder = Path(order.folder)
        self._finished: dict[str, Finished] = {}
        self._chain: list[str] = [_origin(order)]
        #: The phase at work, for samples and faults.
        self.phase = ""

    def run(self) -> wire.Ended:
        """Works through the phases."""
        try:
            for number, order in enumerate(self._order.phases, start=1):
                self.phase = order.name
                if not self._keep(number, order):
                    self._work(number, order)
            return wire.Ended(completed=wire.Completed())
        except Cancelled:
            self._leave()
            return wire.Ended(stopped=wire.Stopped())
        except BaseException as fault:  # whatever it was, the run must hear of it
            self._leave()
            return wire.Ended(failed=_failure(fault, self.phase))
        finally:
            self._reporter.pull_from(list)
            shutil.rmtree(self._folder / "scratch", ignore_errors=True)

    def _leave(self) -> None:
        """Removes what the phase at work has half done, then says the last words: when the disk is full, they cannot be
        stored before there is space again."""
        _clear(self._folder / "phases", "*")
        shutil.rmtree(self._folder / "scratch", ignore_errors=True)
        self._reporter.flush()

    def _keep(self, number: int, order: wire.PhaseOrder) -> bool:
        final = self._final(number, order)
        manifest = checkpoint.kept(final)
        parameters = Parameters(orjson.loads(self._order.parameters))
        if manifest is None or not manifest.fits(order.function, order.version, self._inputs(), parameters):
            return False
        self._note(manifest, final)
        if not order.known_complete:
            ended = PhaseCompleted(order.name, manifest.duration_s, manifest.results, manifest.records, kept=True)
            # A phase taken over from another run has files of this one now.
            mine = [replace(one, artifact_id=self._artifact_id(one.phase, one.path)) for one in manifest.artifacts]
            self._reporter.flush(PhaseStarted(order.name, number), *mine, ended)
        return True

    def _work(self, number: int, order: wire.PhaseOrder) -> None:
        final = self._final(number, order)
        partial = final.with_name(f"{final.name}.{self._order.epoch}.partial")
        scratch = self._folder / "scratch" / final.name
        _clear(final.parent, final.name)
        for folder in (partial, scratch):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        parameters = Parameters(orjson.loads(self._order.parameters))
        phase = self._phase(order, parameters, partial, scratch)
        self._reporter.flush(PhaseStarted(order.name, number))
        self._reporter.pull_from(phase.latest)
        begin = time.monotonic()
        phase.check()
        try:
            results = plain(_function(order.function)(phase) or {})
            phase.check()
        except BaseException:
            self._reporter.say(*self._left(final, phase))
            raise
        took = round(time.monotonic() - begin, 3)
        files = checkpoint.inventory(partial)
        manifest = Manifest(
            phase=order.name,
            function=order.function,
            version=order.version,
            program=__version__,
            inputs=self._inputs(),
            parameters=parameters.prints(sorted(parameters.read)),
            files=files,
            results=results,
            duration_s=took,
            artifacts=tuple(self._artifact(final, phase, item, files) for item in phase.published),
            records=phase.done,
        )
        checkpoint.commit(partial, final, manifest)
        shutil.rmtree(scratch, ignore_errors=True)
        self._note(manifest, final)
        sample = self._sampler.sample(order.name)
        ended = PhaseCompleted(order.name, took, results, phase.done)
        self._reporter.flush(sample, *manifest.artifacts, ended)
        self._reporter.pull_from(list)

    def _left(self, final: Path, phase: LivePhase) -> list[ArtifactStored]:
        """Saves what a phase that did not end well wants to stay: out of the folder that goes away."""
        saved = []
        with contextlib.suppress(OSError):  # what stopped the phase is the news, not that the disk is full as well
            for item in phase.left:
                whole = self._artifact(final, phase, item, (checkpoint.inspect(phase.out, item.path),))
                # Under the id that the whole file gets if another attempt succeeds, which then takes its place.
                artifact = replace(whole, path=f"left-{whole.path}")
                home = self._folder / artifact.path
                home.parent.mkdir(parents=True, exist_ok=True)
                item.path.replace(home)
                saved.append(artifact)
        return saved

    def _phase(self, order: wire.PhaseOrder, parameters: Parameters, partial: Path, scratch: Path) -> LivePhase:
        return LivePhase(
            name=order.name,
            component=order.component,
            parameters=parameters,
            dataset=given.dataset(self._order),
            out=partial,
            scratch=scratch,
            memory_bytes=self._order.memory_bytes,
            run_name=self._order.run_name,
            finished=self._finished,
            stop=self._stop,
            reporter=self._reporter,
            datasets=given.datasets(self._order),
            resources=given.resources(self._order),
            sources=given.sources(self._order),
        )

    def _artifact(
        self, final: Path, phase: LivePhase, item: Published, files: tuple[checkpoint.StoredFile, ...]
    ) -> ArtifactStored:
        relative = item.path.resolve().relative_to(phase.out.resolve()).as_posix()
        stored = {file.path: file for file in files}.get(relative)
        if stored is None:
            raise FileNotFoundError(f"the phase published {relative}, but did not write it")
        path = f"phases/{final.name}/{relative}"
        return ArtifactStored(
            artifact_id=self._artifact_id(phase.name, path),
            phase=phase.name,
            name=item.name,
            type=item.type,
            path=path,
            size_bytes=stored.size_bytes,
            sha256=stored.sha256,
            kind=item.kind,
            format=item.path.suffix.lstrip(".").lower(),
            description=item.description,
            records=item.records,
        )

    def _artifact_id(self, phase: str, path: str) -> str:
        return checkpoint.artifact_id(self._order.run_id, phase, path)

    def _final(self, number: int, order: wire.PhaseOrder) -> Path:
        return self._folder / "phases" / checkpoint.folder_name(number, order.name)

    def _inputs(self) -> str:
        return checkpoint.chained(self._chain)

    def _note(self, manifest: Manifest, folder: Path) -> None:
        self._chain.append(manifest.digest())
        self._finished[manifest.phase] = Finished(manifest.phase, manifest.results, folder)


def _origin(order: wire.Assignment) -> str:
    return checkpoint.origin(order.dataset.sha256, order.dataset.format, dict(order.dataset.mapping), order.inputs)


def _function(path: str) -> PhaseFunction:
    module, _, name = path.partition(":")
    return cast(PhaseFunction, getattr(importlib.import_module(module), name))


def _clear(folder: Path, name: str) -> None:
    for leftover in folder.glob(f"{name}.*.partial"):
        shutil.rmtree(leftover, ignore_errors=True)


def _failure(fault: BaseException, phase: str) -> wire.Failed:
    if isinstance(fault, BadInput):
        return wire.Failed(
            reason=fault.reason, message=str(fault), phase=phase, details=orjson.dumps(plain(fault.details))
        )
    if isinstance(fault, MemoryError):
        return wire.Failed(
            reason="OUT_OF_MEMORY", message="The phase needed more memory than the run may use.", phase=phase
        )
    if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return wire.Failed(reason="DISK_FULL", message="No space is left on the server's disk.", phase=phase)
    text = "".join(traceback.format_exception(fault))
    details = orjson.dumps({"fault": type(fault).__name__})
    return wire.Failed(reason="INTERNAL", phase=phase, details=details, traceback=text)
