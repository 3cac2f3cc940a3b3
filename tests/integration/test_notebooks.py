"""Notebooks with real kernels: what cells find, what stays of them, and that nothing outlives the run."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from lodestream_server.workloads.notebooks.execution import execute
from lodestream_server.workloads.phase import BadInput, Cancelled, DatasetFile, EarlierRun, Finished
from lodestream_server.workloads.rehearsal import Rehearsal

from tests.integration.engine_world import ROOT
from tests.unit.notebook_world import notebook, outputs, page, ran, rehearsal

#: A cell that leaves a daemon in a session of its own, writes down whom there is to look for, and never ends.
ENDLESS = """
import os, subprocess, sys, time
ours = subprocess.Popen(["sleep", "600"])
daemon = subprocess.run(
    [sys.executable, "-c", "import subprocess; print(subprocess.Popen(['sleep', '600'], start_new_session=True,"
     " stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid)"], capture_output=True, text=True, check=True).stdout
print("begun", flush=True)
with open(begun + ".partial", "w") as file:
    file.write(f"{os.getpid()} {ours.pid} {daemon}")
os.rename(begun + ".partial", begun)
while True:
    pass
"""


class StoppedOnce(Rehearsal):
    """A rehearsal that is asked to stop as soon as a file is there."""

    begun: Path
    asked: float = 0.0

    def check(self) -> None:
        if self.begun.exists():
            self.asked = self.asked or time.monotonic()
            raise Cancelled


def stopped_once(folder: Path, text: str) -> StoppedOnce:
    """Asked to stop when the notebook has made the file `begun`."""
    made = rehearsal(folder, text, begun=str(folder / "begun"))
    phase = StoppedOnce(folder, parameters=made.parameters, resources=made.resources, name=made.name)
    phase.begun = folder / "begun"
    return phase


def gone(pid: int) -> bool:
    """Whether nothing of it runs any more."""
    try:
        process = psutil.Process(pid)
        process.wait(5)
        return True
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return process.status() == psutil.STATUS_ZOMBIE


def test_a_cell_has_the_parameters_the_dataset_and_earlier_results(tmp_path):
    """And what it saves is published under the name that it gave."""
    (tmp_path / "log.csv").write_text("case;activity\n1;A\n1;B\n")
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "map.svg").write_text("<svg/>")
    dataset = DatasetFile("d", "log.csv", tmp_path / "log.csv", "csv", 25, {"delimiter": ";"})
    found = Finished("Process Discovery", {"variants": 7}, tmp_path / "earlier")
    earlier = EarlierRun("op-1", "operation", "ProcessMiningAnalysis", "Mining", {}, (found,))
    text = notebook(
        "from lodestream import notebook\nrun = notebook.current()\nprint(times, flag, run.parameters['times'])",
        "run.dataset.read().height",
        "print(run.sources[0].phase('Process Discovery').results['variants'], run.sources[0].files[0].name)",
        "open('a.csv', 'w').write('x')\nrun.save('a.csv', name='Waiting times')\nrun.save('a.csv', type='Report')",
        defaults="times = 1\nflag = False",
    )
    phase, finished = ran(tmp_path / "run", text, times=3, dataset=dataset, sources=(earlier,))
    assert outputs(phase)[:3] == ["3 False 3\n", "2", "7 map.svg\n"]
    assert finished.results["cells"] == 6
    assert [(one.name, one.type) for one in phase.artifacts] == [
        ("Notebook waiting.ipynb", "Report"),
        ("Waiting times", "Dataset"),
        ("a-2.csv", "Report"),
    ]
    assert phase.progressed[-1][:2] == (6, 6)
    assert ("3 False 3", {"cell": 3, "stream": "stdout"}) in [(line.text, line.details) for line in phase.logged]


def test_a_cell_finds_no_secrets_listens_on_no_network_and_shows_on_a_page_that_runs_nothing(tmp_path, monkeypatch):
    """Its environment is a selection, its folders are the run's own, its sockets are files; the page loads nothing
    from elsewhere."""
    monkeypatch.setenv("LODESTREAM_TOKEN", "hush")
    monkeypatch.setenv("DATABASE_PASSWORD", "hush")
    text = notebook(
        "import os, psutil\nprint([k for k, v in os.environ.items() if 'hush' in v or k.startswith('LODESTREAM')])",
        "print(psutil.Process().net_connections('inet'))",
        "import tempfile\nprint([os.getcwd(), os.path.expanduser('~'), tempfile.gettempdir()])",
        "from IPython.display import HTML\nHTML('<b>shown</b>')",
    )
    phase, finished = ran(tmp_path, text)
    secrets, sockets, folders, _ = outputs(phase)
    assert (secrets, sockets) == ("[]\n", "[]\n")
    assert folders.count(str(phase.scratch)) == 3
    html = page(tmp_path / "page", finished)
    assert "<b>shown</b>" in html
    assert str(phase.scratch / "home") in html
    assert "Content-Security-Policy" in html
    assert "<script" not in html
    assert "http://" not in html
    assert "https://" not in html
    assert "Tuesday" in html


def test_a_failing_cell_fails_the_run_with_its_number_and_exception(tmp_path):
    """The traceback is in the notebook that stays, and nowhere else."""
    phase = rehearsal(tmp_path, notebook("x = 1", "def deep():\n    return x / 0\ndeep()", "print('never')"))
    with pytest.raises(BadInput, match=r"Cell 2 of 3 failed: ZeroDivisionError: division by zero\.") as raised:
        phase.run(execute)
    assert raised.value.reason == "CELL_FAILED"
    assert raised.value.details == {"cell": 2, "exception": "ZeroDivisionError", "said": "division by zero"}
    assert "deep" not in str(raised.value)
    (left,) = phase.left
    assert "deep()" in left.path.read_text()
    assert "Traceback" in left.path.read_text()
    assert phase.artifacts == []


def test_a_notebook_that_never_ends_is_stopped_with_all_it_started(tmp_path):
    """Within a second of the wish; daemons in sessions of their own are no exception, and the outputs so far stay."""
    phase = stopped_once(tmp_path, notebook("print('first')", ENDLESS))
    with pytest.raises(Cancelled):
        phase.run(execute)
    took_s = time.monotonic() - phase.asked
    assert all(gone(int(pid)) for pid in phase.begun.read_text().split())
    assert outputs(phase) == ["first\n", "begun\n"]
    assert [one.name for one in phase.left] == ["Notebook waiting.ipynb (partial)"]
    assert took_s < 2.0  # 0.1 s on an idle machine; this one may be busy


@pytest.mark.parametrize(
    ("cell", "given", "reason", "said"),
    [
        ("while True: pass", {"cellTimeoutSeconds": 1}, "CELL_TIMEOUT", "longer than cellTimeoutSeconds allows"),
        ("import os\nos.kill(os.getpid(), 9)", {}, "KERNEL_DIED", "was killed by signal 9 in cell 1 of 1"),
        ("import os\nos._exit(3)", {}, "KERNEL_DIED", "ended by itself"),
        ("input('Which month? ')", {}, "NO_INPUT", "asks for input, and nobody is there to give it"),
        ("len(bytearray(20 * 10**9))", {"memory_bytes": 10**8}, "OUT_OF_MEMORY", "MemoryError"),
        ("x = b'x' * 400_000_000\nwhile True: pass", {"memory_bytes": 2 * 10**8}, "OUT_OF_MEMORY", "memoryGB"),
    ],
)
def test_what_ends_a_notebook_is_said(tmp_path, cell, given, reason, said):
    """And the notebook as far as it came stays."""
    phase = rehearsal(tmp_path, notebook(cell), **given)
    with pytest.raises(BadInput, match=said) as raised:
        phase.run(execute)
    assert raised.value.reason == reason
    assert phase.left


def test_a_kernel_dies_with_its_worker(tmp_path):
    """Also when the worker is killed alone, and the kernel is deep in a cell."""
    (tmp_path / "nb.txt").write_text(notebook(ENDLESS))
    code = (
        "import sys, pathlib; from tests.unit.notebook_world import ran; folder = pathlib.Path(sys.argv[1]);"
        "ran(folder / 'run', (folder / 'nb.txt').read_text(), begun=str(folder / 'begun'))"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, start_new_session=True)
    try:
        while not (tmp_path / "begun").exists():
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(0.02)
            assert worker.returncode is None
        kernel, child, daemon = (int(pid) for pid in (tmp_path / "begun").read_text().split())
        assert os.getpgid(kernel) == os.getpgid(child) == worker.pid
        worker.kill()
        worker.wait()
        assert gone(kernel)
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        os.kill(daemon, signal.SIGKILL)
