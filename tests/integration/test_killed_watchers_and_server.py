"""Watchers and the server, killed while a log is mined; tests/acceptance does it a hundred times."""

import random

from tests.support.ordeal import Ordeal, write_xes
from tests.support.served import served


def test_a_run_is_told_completely_although_its_watchers_and_its_server_were_killed(tmp_path):
    """Ten watchers and the server once, with SIGKILL: no gap, no repeat, one end."""
    write_xes(tmp_path / "log.xes.gz", cases=15_000)
    with served(tmp_path) as server:
        dataset = server.run("datasets", "upload", "log.xes.gz", "--json").json["datasetId"]
        run_id = server.run("submit", "--dataset", dataset, "--json").json["jobId"]
        ordeal = Ordeal(server, run_id, random.Random(5))
        assert ordeal.survive(watchers=10, server_deaths={3}) >= 5
        ordeal.judge()
