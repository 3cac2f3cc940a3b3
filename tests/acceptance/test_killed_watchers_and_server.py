"""What the project promises about streams: whoever is killed, whoever watches hears the whole story once."""

import random
from datetime import datetime

import pytest

from tests.support.ordeal import Ordeal, write_xes
from tests.support.served import Served, served

pytestmark = [pytest.mark.acceptance, pytest.mark.chaos]

#: Cases of the log by which this machine is measured.
MEASURED = 20_000
#: So long should the first phase take here: longer than the watchers between two deaths of the server live.
LOADING_S = 30.0


def submitted(server: Served, cases: int) -> str:
    """A run that mines a log of so many cases."""
    write_xes(server.folder / "log.xes.gz", cases)
    dataset = server.run("datasets", "upload", "log.xes.gz", "--json").json["datasetId"]
    return str(server.run("submit", "--dataset", dataset, "--json").json["jobId"])


def loading_s(server: Served, run_id: str) -> float:
    """Seconds that the first phase of a run took, which is waited for."""
    told = server.run("watch", run_id, "--json").lines
    begun, done = (
        next(event["timestamp"] for event in told if kind in event) for kind in ("phaseStarted", "phaseCompleted")
    )
    return (datetime.fromisoformat(done) - datetime.fromisoformat(begun)).total_seconds()


@pytest.mark.timeout(600)  # a hundred lives of up to 0.8 s, in a run that starts anew three times
@pytest.mark.parametrize("seed", [11])
def test_a_hundred_killed_watchers_and_three_server_deaths_leave_no_gap_and_no_repeat(tmp_path, seed):
    """One run. The log is made so large that it outlives them on a machine of any speed."""
    with served(tmp_path) as server:
        took_s = loading_s(server, submitted(server, MEASURED))
        run_id = submitted(server, int(MEASURED * LOADING_S / took_s))
        ordeal = Ordeal(server, run_id, random.Random(seed))
        assert ordeal.survive(watchers=100, server_deaths={30, 55, 80}) == 100
        ordeal.judge()
