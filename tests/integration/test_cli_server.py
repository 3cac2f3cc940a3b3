"""The command line against the real server: what a person reads, what a program reads, and how it ends."""

import asyncio
import contextlib
import json
import os
import pty
import re
import signal
import sys
from typing import Any

import pytest

from lodestream import wire
from tests.integration.client_world import World, world

LOG = "case,activity,timestamp\n1,a,2024-01-01\n1,b,2024-01-02\n"


class Ran:
    """A command that has ended."""

    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code, self.out, self.err = code, out.decode(), err.decode()

    @property
    def json(self) -> Any:
        """The one document it printed."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The documents it printed, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


def all_of(terminal: int) -> str:
    """Everything written to a terminal until its last writer has left."""
    shown = bytearray()
    with contextlib.suppress(OSError):  # how Linux says that nobody writes any more
        while piece := os.read(terminal, 65536):
            shown += piece
    os.close(terminal)
    return shown.decode()


async def start(here: World, *words: str, **environment: str) -> asyncio.subprocess.Process:
    """A command under way, in a process of its own, as a shell starts it."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("LODESTREAM_")}
    env |= here.environment() | {"COLUMNS": "200"} | environment
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lodestream", *words, env=env, stdout=pipe, stderr=pipe, cwd=here.gate.parent
    )


async def run(here: World, *words: str, **environment: str) -> Ran:
    """A command to its end."""
    process = await start(here, *words, **environment)
    out, err = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in err
    return Ran(process.returncode, out, err)


@pytest.fixture
async def here(tmp_path):
    """A server and a log to upload."""
    (tmp_path / "orders.csv").write_text(LOG)
    async with world(tmp_path) as made:
        yield made


async def test_the_tour_from_upload_to_download(here):
    """Each command hands the next one what it needs."""
    uploaded = await run(here, "datasets", "upload", "orders.csv", "--json")
    dataset = uploaded.json["datasetId"]
    shown = await run(here, "datasets", "show", dataset)
    assert "orders" in shown.out
    started = await run(here, "submit", "--operation", "--dataset", dataset, "--name", "Orders", "--watch")
    assert started.code == 0
    assert "Completed in" in started.out
    operation = started.out.split()[1]
    assert f"lodestream results {operation}" in started.err
    results = await run(here, "results", operation, "--download", "out", "--json")
    assert results.json["phaseResults"][1]["results"] == {"sum": 20}
    assert (here.gate.parent / "out" / "count.txt").read_text() == "10"
    people = await run(here, "results", operation, "--phase", "Add")
    assert "Sum" in people.out
    assert "Count" not in people.out.split("Files")[0].replace("count.txt", "")
    assert (await run(here, "datasets", "delete", dataset)).code == 0
    gone = await run(here, "datasets", "show", dataset)
    assert (gone.code, "no such dataset" in gone.err) == (1, True)


async def test_watching_in_json_gives_every_event_once(here):
    """A line an event, numbered without a hole, the terminal one last."""
    job = await here.client.submit_job("Count")
    watched = await run(here, "watch", job.id, "--json")
    assert watched.code == 0
    assert [event["sequence"] for event in watched.lines] == list(range(1, len(watched.lines) + 1))
    assert "completed" in watched.lines[-1]


async def test_watching_without_a_terminal_gives_plain_timestamped_lines(here):
    """No colours, no bars: every line stands alone in a log of CI."""
    job = await here.client.submit_job("Count")
    watched = await run(here, "watch", job.id)
    assert "\x1b" not in watched.out
    assert all(line[:4].isdigit() and line[10] == "T" and " %  " in line for line in watched.out.splitlines())
    assert "▶ Count" in watched.out


async def test_watching_on_a_terminal_shows_a_bar_for_each_phase(here):
    """A person sees what happens scroll by above the bars, and all of them full at the end."""
    job = await here.client.submit_job("Count")
    terminal, inside = pty.openpty()
    env = os.environ | here.environment() | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    env.pop("NO_COLOR", None)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lodestream", "watch", job.id), env=env, stdout=inside, stderr=inside
    )
    os.close(inside)
    shown = await asyncio.to_thread(all_of, terminal)
    assert await process.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert shown != text
    last = text.replace("\r", "\n").splitlines()
    assert any(re.match(r"✔ Count +━+ 100%", line) for line in last)
    assert any(re.match(r"✔ Overall +━+ 100%", line) for line in last)
    assert any(re.search(r"\d\d:\d\d:\d\d  ▶ Add", line) for line in last)


async def test_a_run_that_fails_ends_the_watch_with_1(here):
    """A script can rely on it, and a person reads why."""
    failed = await run(here, "submit", "--type", "Analysis", "--watch")
    assert failed.code == 1
    assert "column X is missing" in failed.out


async def test_an_interrupted_watch_leaves_the_run_at_work(here):
    """Ctrl-C ends the command with 130 and nothing else."""
    job = await here.client.submit_job("Slow", type="DataEnrichment", parameters=here.waiting)
    process = await start(here, "watch", job.id, PYTHONUNBUFFERED="1")
    assert process.stdout is not None
    async for line in process.stdout:
        if b"Wait" in line:
            break
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 130
    assert err.decode().strip() == "Interrupted."
    here.gate.touch()
    assert (await job.wait()).progress.percentage == 100


async def test_logs_are_printed_and_followed(here):
    """Without -f what is there, with -f to the end; --level is a threshold, --limit takes the newest."""
    job = await here.client.submit_job("Slow", type="DataEnrichment", parameters=here.waiting)
    await here.begun()
    process = await start(here, "logs", job.id, "-f", "--json", PYTHONUNBUFFERED="1")
    assert process.stdout is not None
    assert json.loads(await process.stdout.readline())["message"]
    here.gate.touch()
    await process.communicate()
    assert process.returncode == 0
    printed = await run(here, "logs", job.id)
    assert "Tester: counted 10  records=10" in printed.out
    assert len((await run(here, "logs", job.id, "--limit", "1", "--json")).json["logs"]) == 1
    nothing = await run(here, "logs", job.id, "--level", "ERROR")
    assert (nothing.out, "lines in all" in nothing.err) == ("", True)


async def test_the_timeline_reads_from_submission_to_end(here):
    """A table for people, the documented answer for programs."""
    operation = await here.client.start_operation("Count")
    await operation.wait()
    people = await run(here, "timeline", operation.id)
    events = [line.split("  ")[1] for line in people.out.splitlines()[1:]]
    assert (events[0], events[-1]) == ("JobSubmitted", "JobCompleted")
    answer = (await run(here, "timeline", operation.id, "--granularity", "major_events", "--json")).json
    assert answer["timeline"][0]["eventType"] == "JobSubmitted"


async def test_cancelling_shows_the_receipt(here):
    """What stopped it, and what is kept."""
    job = await here.client.submit_job("Slow", type="DataEnrichment", parameters=here.waiting)
    await here.begun()
    receipt = await run(here, "cancel", job.id, "--reason", "wrong log")
    assert receipt.code == 0
    assert all(text in receipt.out for text in ("Cancelled", "wrong log", "1 finished phases"))
    assert (await run(here, "cancel", job.id, "--json")).json["reason"] == "wrong log"
    results = await run(here, "results", job.id)
    assert results.code == 1


async def test_lists_show_runs_with_filters_counts_and_pages(here):
    """Newest first; --all walks the pages; the counts are of the whole project."""
    ids = [(await here.client.submit_job(f"Number {number}")).id for number in range(3)]
    for job_id in ids:
        await here.client.job(job_id).wait()
    listed = await run(here, "jobs")
    assert [line.split()[0] for line in listed.out.splitlines()[1:]] == ids[::-1]
    assert "The project has 3 jobs: 3 completed." in listed.err
    page = (await run(here, "jobs", "--limit", "2", "--json")).json
    rest = (await run(here, "jobs", "--limit", "2", "--page-token", page["nextPageToken"], "--json")).json
    assert [job["jobId"] for job in page["jobs"] + rest["jobs"]] == ids[::-1]
    assert (await run(here, "jobs", "--status", "failed", "--json")).json["jobs"] == []
    wrong = await run(here, "jobs", "--status", "Done")
    assert (wrong.code, "Completed" in wrong.err) == (2, True)
    assert (await run(here, "operations")).err.strip() == "The project has 0 operations."


async def test_a_token_is_the_only_line_on_stdout_and_works_until_revoked(here):
    """TOKEN=$(lodestream tokens create …) holds a key that is good for the tenant in use."""
    made = await run(here, "tokens", "create", "nightly", "--role", "read")
    token = made.out.strip()
    assert (await run(here, "jobs", LODESTREAM_TOKEN=token)).code == 0
    refused = await run(here, "submit", LODESTREAM_TOKEN=token)
    assert (refused.code, "--role write" in refused.err) == (1, True)
    listed = (await run(here, "tokens", "list", "--json")).json["keys"]
    prefix = next(key["prefix"] for key in listed if key["name"] == "nightly")
    assert token.startswith(prefix)
    assert token not in json.dumps(listed)
    assert (await run(here, "tokens", "revoke", prefix)).code == 0
    assert (await run(here, "jobs", LODESTREAM_TOKEN=token)).code == 1


async def test_a_token_can_be_told_when_to_end(here):
    """After a span of time, or on a day; the list shows until when."""
    made = await run(here, "tokens", "create", "visitor", "--expires", "12h")
    assert (made.code, ", until " in made.err) == (0, True)
    assert (await run(here, "tokens", "create", "guest", "--expires", "2100-01-31")).code == 0
    keys = (await run(here, "tokens", "list", "--json")).json["keys"]
    assert next(key["expiresAt"] for key in keys if key["name"] == "guest") == "2100-01-31T00:00:00Z"
    assert "until " in (await run(here, "tokens", "list")).out
    for wrong, code in (("yesterday", 2), ("2001-01-01", 2)):
        refused = await run(here, "tokens", "create", "late", "--expires", wrong)
        assert refused.code == code, refused.err


async def test_errors_name_the_fault_and_the_next_step(here, tmp_path):
    """One short message each, and the exit code that the help promises."""
    unknown = await run(here, "watch", "no-such-run")
    assert (unknown.code, "lodestream jobs" in unknown.err) == (1, True)
    bad = await run(here, "submit", "--param", "records=0")
    assert (bad.code, "parameters.records" in bad.err) == (2, True)
    later = await run(here, "submit", "--type", "Notebook")
    assert (later.code, "not built" in later.err) == (1, True)
    (tmp_path / "bad.csv").write_text("bad\n")
    refused = await run(here, "datasets", "upload", "bad.csv")
    assert (refused.code, "no header" in refused.err) == (1, True)
    nobody = await run(here, "jobs", "--target", "127.0.0.1:1")
    assert (nobody.code, "127.0.0.1:1" in nobody.err) == (3, True)
    stranger = await run(here, "jobs", LODESTREAM_TOKEN="lode_wrong")
    assert (stranger.code, "--token" in stranger.err) == (1, True)
    missing = await run(here, "datasets", "upload", "missing.csv")
    assert missing.code == 2


async def test_a_reader_that_leaves_early_is_no_error(here):
    """`lodestream jobs --all --json | head -1` prints its line and no complaint."""
    for number in range(3):
        await (await here.client.submit_job(f"Number {number}")).wait()
    shell = f"{sys.executable} -m lodestream jobs --all --json | head -c 1"
    env = os.environ | here.environment()
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_shell(shell, env=env, stdout=pipe, stderr=pipe, cwd=here.gate.parent)
    out, err = await process.communicate()
    assert (out, err) == (b"{", b"")


async def test_the_queue_is_shown_paused_explained_reordered_resumed_and_purged(here):
    """An administrator holds the project's work back, looks at it, moves it, and lets it go or throws it away."""
    paused = await run(here, "queue", "pause", "--reason", "archive", "--json")
    assert paused.json == {"queueStatus": "Paused", "totalQueuedJobs": 0}
    job = await here.client.submit_job("Held", priority="Low")
    operation = await here.client.start_operation("Held too")
    explained = await run(here, "explain", operation.id)
    assert "QUEUE_PAUSED" in explained.out
    moved = await run(here, "reprioritise", job.id, "Critical", "--json")
    assert (moved.json["priority"], moved.json["queuePosition"]) == ("Critical", 1)
    shown = await run(here, "queue", "show")
    assert [line.split()[0] for line in shown.out.splitlines()[-2:]] == [job.id, operation.id]
    assert (await run(here, "queue", "purge", "--priority", "Normal", "--yes", "--json")).json["cancelledJobs"] == 1
    resumed = await run(here, "queue", "resume")
    assert "Active" in resumed.out
    assert (await job.wait()).progress.percentage == 100
    late = await run(here, "reprioritise", job.id, "Low")
    assert (late.code, "priority" in late.err) == (1, True)


async def test_purging_asks_first(here):
    """Without --yes and without an answer nothing is cancelled."""
    await here.client.pause_queue()
    job = await here.client.submit_job("Held")
    asked = await run(here, "queue", "purge")
    assert asked.code != 0
    assert (await here.client.queue()).summary.total_queued_jobs == 1
    await here.client.resume_queue()
    await job.wait()


async def test_a_failed_run_is_tried_again_as_a_new_one(here):
    """The receipt names both runs; --watch follows the new one and ends as it ends."""
    job = await here.client.submit_job("Fails", type="Analysis")
    await job.wait()
    again = await run(here, "retry", job.id, "--restart", "--set", "records=5", "--priority", "High", "--json")
    assert again.json["originalJobId"] == job.id
    assert (again.json["retryNumber"], again.json["priority"]) == (1, "High")
    followed = await run(here, "retry", job.id, "--watch")
    assert (followed.code, "column X is missing" in followed.out) == (1, True)
    operation = await here.client.start_operation("Slow", type="DataEnrichment", parameters=here.waiting)
    await here.begun()
    await operation.cancel(force=True)
    here.gate.touch()
    resumed = await run(here, "retry", operation.id, "--timeout", "30m", "--json")
    assert (resumed.json["resumeFromPhase"], resumed.json["preservedResults"]["phasesPreserved"]) == ("Wait", 1)
    assert (await run(here, "watch", resumed.json["newOperationId"])).code == 0
    done = await here.client.start_operation("Fine")
    await done.wait()
    refused = await run(here, "retry", done.id)
    assert (refused.code, "Traceback" in refused.err) == (1, False)


async def test_a_batch_is_submitted_followed_shown_and_cancelled(here, tmp_path):
    """From a file of the documented request; a step is told when its standing changes."""

    def step(key: str, type_: str, *needs: str, **parameters: Any) -> dict[str, Any]:
        common = {"operationName": key, "operationKey": key, "operationType": type_}
        return common | {"dependencies": list(needs), "parameters": parameters}

    file = tmp_path / "batch.json"
    steps = [step("first", "ProcessMiningAnalysis"), step("second", "DataEnrichment", "first", **here.waiting)]
    file.write_text(json.dumps({"batchName": "Nightly", "operations": steps}))
    submitted = await run(here, "batch", "submit", str(file), "--json")
    batch = submitted.json["batchId"]
    await here.begun()
    stopped = await run(here, "batch", "cancel", batch, "--force", "--reason", "enough", "--json")
    assert [one["reason"] for one in stopped.json["operations"]] == ["enough"]
    watched = await run(here, "batch", "watch", batch)
    assert (watched.code, watched.out.splitlines()[-1]) == (1, "Cancelled: 1 of 2 completed")
    shown = await run(here, "batch", "show", batch)
    assert "Nightly" in shown.out
    here.gate.touch()
    done = await run(here, "batch", "submit", str(file), "--watch", "--json")
    assert done.code == 0
    assert [event["sequence"] for event in done.lines] == list(range(1, len(done.lines) + 1))
    steps[0]["dependencies"] = ["second"]
    file.write_text(json.dumps({"batchName": "Cycle", "operations": steps}))
    cycle = await run(here, "batch", "submit", str(file))
    assert (cycle.code, "operations[" in cycle.err) == (1, True)
    file.write_text(json.dumps({"batchNames": "x"}))
    assert (await run(here, "batch", "submit", str(file))).code == 2
    file.write_text("[]")
    assert (await run(here, "batch", "submit", str(file))).code == 2


async def test_resources_are_registered_shown_and_deleted(here, tmp_path):
    """A file and a pipeline; what is no model is refused with its fault, and no file at all with the usage."""
    (tmp_path / "reference.pnml").write_text("<pnml><net/></pnml>")
    (tmp_path / "wrong.pnml").write_text("<html/>")
    model = (await run(here, "resources", "register", str(tmp_path / "reference.pnml"), "--json")).json
    assert (model["resourceType"], model["resourceName"]) == ("Model", "reference.pnml")
    made = await run(here, "resources", "register", "--pipeline", "Monthly", "--param", "a=1", "--json")
    assert made.json["parameters"] == {"a": 1}
    listed = await run(here, "resources", "list")
    assert listed.out.index("Monthly") < listed.out.index("reference.pnml")
    assert (await run(here, "resources", "list", "--type", "Model", "--json")).json["resources"] == [model]
    assert "reference.pnml" in (await run(here, "resources", "show", model["resourceId"])).out
    assert (await run(here, "resources", "delete", model["resourceId"])).code == 0
    gone = await run(here, "resources", "show", model["resourceId"])
    assert gone.code != 0
    assert "lodestream resources list" in gone.err
    typed = await run(here, "resources", "register", str(tmp_path / "reference.pnml"), "--type", "Notebook")
    assert (typed.code, "belong to --pipeline" in typed.err) == (2, True)
    nowhere = await run(here, "submit", "--dataset", "nope")
    assert nowhere.err.count("there is no dataset nope") == 1
    wrong = await run(here, "resources", "register", str(tmp_path / "wrong.pnml"))
    assert "its root is <html>" in wrong.err
    assert "--pipeline NAME" in (await run(here, "resources", "register")).err


async def test_a_job_refers_to_a_resource_by_its_id_alone(here):
    """The type is looked up; a pipeline's parameters lie under those given. Operations take none."""
    pipeline = await here.client.register_pipeline("Monthly", parameters={"records": 7})
    submitted = await run(here, "submit", "--resource", pipeline.resource_id, "--json")
    job = await here.client.job(submitted.json["jobId"]).wait()
    assert (job.resource.resource_type, job.resource.resource_name) == ("Pipeline", "Monthly")
    found = await here.client.job(job.job_id).results()
    assert wire.to_dict(found.stage_results)["Count"] == {"counted": 7}
    assert (await (await here.client.submit_job("Again", resource=pipeline)).get()).resource == job.resource
    assert "lodestream resources list" in (await run(here, "submit", "--resource", "nothing")).err
    refused = await run(here, "submit", "--operation", "--resource", pipeline.resource_id)
    assert (refused.code, "--resource are for jobs" in refused.err) == (2, True)
