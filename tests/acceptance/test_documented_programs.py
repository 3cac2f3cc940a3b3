"""The documentation's own programs run against the real server, with only address, ids, token and timers replaced.

They read keys without asking whether they are there; a key that is missing ends them. What stands on a page stands in
`documentation/` word for word; where a page breaks off, the completion says so.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.served import served
from tests.support.server import PROJECT, TENANT

pytestmark = pytest.mark.acceptance

PROGRAMS = Path(__file__).parent / "documentation"
SCOPE = f"/api/{TENANT}/{PROJECT}"
#: Ids that stand in the programs -> what the world of a test puts in their place.
DATASETS = ("880e8400-e29b-41d4-a716-446655440000", "dataset-guid", "raw-dataset-123")
PIPELINES = ("770e8400-e29b-41d4-a716-446655440000", "pipeline-guid")
JOBS = ("cc0e8400-e29b-41d4-a716-446655440000", "job-guid")
NODE = shutil.which("node")
#: The async page's program stops looking when its first look finds the operation Initiated. It gets to see it begun.
BEGUN = """
const ask = fetch;
globalThis.fetch = async (address, options) => {
  let answer;
  do {
    answer = await ask(address, options);
  } while (!options.method && (await answer.clone().json()).status === 'Initiated');
  return answer;
};
"""


def log_of_january() -> bytes:
    """A small event log whose events lie in the time windows that the programs ask for."""
    rows = ["case,activity,time"]
    for case in range(40):
        for hour, activity in enumerate(("register", "check", "decide", "close" if case % 4 else "reopen")):
            rows.append(f"{case},{activity},2024-01-{14 + case % 5:02d}T{8 + hour:02d}:{case:02d}:00Z")
    return "\n".join(rows).encode()


class World:
    """A server with a dataset, which can be given a pipeline and a finished job."""

    def __init__(self, base: str, token: str) -> None:
        self.base, self.token = base, token
        self.client = httpx.Client(base_url=base, headers={"authorization": f"Bearer {token}"}, timeout=60)
        form = {"datasetName": "January"}
        uploaded = self.client.post(f"{SCOPE}/datasets", data=form, files={"file": ("january.csv", log_of_january())})
        assert uploaded.status_code == 200, uploaded.text
        self.dataset = uploaded.json()["datasetId"]

    def pipeline(self) -> str:
        """A registered pipeline."""
        body = {"resourceType": "Pipeline", "resourceName": "Monthly", "jobType": "ProcessMining"}
        made = self.client.post(f"{SCOPE}/resources", json=body)
        assert made.status_code == 200, made.text
        return str(made.json()["resourceId"])

    def job(self) -> str:
        """A job that has ended."""
        body = {"jobName": "Tracked", "jobType": "ProcessMining", "parameters": {"datasetId": self.dataset}}
        job_id = self.client.post(f"{SCOPE}/execution/job", json=body).json()["jobId"]
        headers = {"accept": "text/event-stream"}
        with self.client.stream("GET", f"{SCOPE}/execution/job/{job_id}", headers=headers) as response:
            for _ in response.iter_lines():
                pass
        return str(job_id)

    def put_into(self, program: str, *, pipeline: str = "", job: str = "") -> str:
        """A program with address, ids, token and timers of this world."""
        for names, value in ((DATASETS, self.dataset), (PIPELINES, pipeline), (JOBS, job)):
            for name in names if value else ():
                program = program.replace(name, value)
        for name, value in (("tenant-guid", TENANT), ("project-guid", PROJECT), ("your-auth-token", self.token)):
            program = program.replace(f"'{name}'", f"'{value}'")
        program = program.replace("{tenantId}", TENANT).replace("{projectId}", PROJECT)
        program = program.replace("https://your-mindzie-instance.com", self.base)
        program = re.sub(r"(['`])/api/", rf"\1{self.base}/api/", program)
        program = re.sub(r"poll_interval=\d+", "poll_interval=0.1", program)
        return re.sub(r"(\}|\(\)), (?:30000|60000)\)", r"\1, 100)", program)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One server for all programs."""
    folder = tmp_path_factory.mktemp("programs")
    with served(folder, "--rest", "127.0.0.1:0") as server:
        made = World(json.loads((folder / "ready.json").read_text())["rest"], server.token)
        yield made
        made.client.close()


def run(command: list[str], program: str, folder: Path) -> str:
    """What a program prints. It has to end well and in time."""
    path = folder / f"program{'.js' if command[0] == NODE else '.py'}"
    path.write_text(program, encoding="utf-8")
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr.strip(), done.stderr
    return done.stdout


def python(world: World, name: str, folder: Path, **ids: str) -> str:
    """The output of one of the pages' Python programs."""
    program = world.put_into((PROGRAMS / f"{name}.py.txt").read_text(encoding="utf-8"), **ids)
    return run([sys.executable, "-X", "utf8"], program, folder)


def javascript(world: World, name: str, folder: Path, **ids: str) -> str:
    """The output of one of the pages' JavaScript programs; `token` is the one name that they leave to their reader."""
    if NODE is None:
        pytest.skip("node is not installed")
    program = world.put_into((PROGRAMS / f"{name}.js").read_text(encoding="utf-8"), **ids)
    return run([NODE], f"const token = {json.dumps(world.token)};\n{BEGUN}{program}", folder)


def test_the_async_operation_manager_runs_to_its_end(world, tmp_path):
    """Start, wait, results, list, cancel."""
    said = python(world, "async_operation_manager", tmp_path)
    assert "Status: Completed" in said
    assert "Analysierte Datensätze: 160" in said
    assert re.search(r"- .+ \(SVG\): http://\S+signature=", said)
    assert re.search(r"Abgebrochen: Cancelled bei \d", said)


def test_the_execution_manager_runs_to_its_end(world, tmp_path):
    """The page's whole example: system status, a job on a pipeline, its end, its results."""
    said = python(world, "execution_manager", tmp_path, pipeline=world.pipeline())
    assert "Sistem Durumu: Healthy" in said
    assert "İş başarıyla tamamlandı!" in said
    assert re.search(r"Rapor indir: http://", said)


def test_the_methods_of_the_execution_manager_work_on_a_dataset(world, tmp_path):
    """What needs no pipeline: the same class, its job referring to the dataset itself."""
    program = (PROGRAMS / "execution_manager.py.txt").read_text(encoding="utf-8").split("# Kullanım örneği")[0]
    program += """
manager = ExecutionManager('https://your-mindzie-instance.com', 'tenant-guid', 'project-guid', 'your-auth-token')
print(manager.get_system_status()['queueStatistics']['averageWaitTime'])
job = manager.submit_job('Monthly', 'ProcessMining', 'Dataset', 'dataset-guid', {'datasetId': 'dataset-guid'}, 'High')
print(job['queuePosition'], job['estimatedStartTime'])
print(manager.wait_for_completion(job['jobId'])['status'])
print(manager.get_job_results(job['jobId'])['summary']['recordsProcessed'])
since = datetime.now() - timedelta(days=1)
print([one['jobId'] for one in manager.list_jobs('Completed', 'ProcessMining', since, datetime.now())['jobs']])
print(manager.cancel_job(job['jobId']))
"""
    said = run([sys.executable, "-X", "utf8"], world.put_into(program), tmp_path).splitlines()
    assert "Completed" in said
    assert said[-3] == "160"
    assert said[-1] == "False"  # an ended job cannot be cancelled: 409


def test_the_job_tracker_runs_to_its_end(world, tmp_path):
    """Progress, logs, metrics, timeline and the panel of a job that has ended."""
    said = python(world, "job_tracker", tmp_path, job=world.job())
    assert "İş takip ediliyor: Tracked (" in said
    assert "Mevcut ilerleme: 100%" in said
    assert "1 iş takip ediliyor:" in said


def test_the_async_workflow_runs_to_its_end(world, tmp_path):
    """Webhook, start, watch, results."""
    said = javascript(world, "async_workflow", tmp_path)
    assert "Operation erfolgreich abgeschlossen!" in said
    assert "Generierte Artefakte:" in said
    assert re.search(r"- .+ \(SVG\): http://\S+signature=", said)


def test_the_execution_workflow_runs_to_its_end(world, tmp_path):
    """Submit on a pipeline, watch, results."""
    said = javascript(world, "execution_workflow", tmp_path, pipeline=world.pipeline())
    assert "İş başarıyla tamamlandı!" in said
    assert re.search(r"Birincil Çıktı: http://", said)


def test_the_tracking_workflow_runs_to_its_end(world, tmp_path):
    """Progress, subscription, metrics, logs, timeline, and the end."""
    said = javascript(world, "tracking_workflow", tmp_path, job=world.job())
    assert "İş başarıyla tamamlandı!" in said
    assert re.search(r"Son verimlilik: (?!undefined)\S", said)
