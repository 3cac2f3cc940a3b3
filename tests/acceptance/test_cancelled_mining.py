"""What the project promises about stopping: forced within a second, gracefully within six, and nobody else notices.

Over the network, with a log of three million events, in the midst of each phase.
"""

import logging

import pytest

from lodestream.client import Client, Settings
from tests.support.cancelling import check, stopped_beside_another
from tests.support.served import served
from tests.support.server import PROJECT, TENANT
from tools.bench.mining import write_csv

pytestmark = [pytest.mark.acceptance, pytest.mark.chaos, pytest.mark.timeout(600)]

EVENTS = 3_000_000


@pytest.fixture(scope="module")
def mined(tmp_path_factory):
    """A server, and the big log in it: address, key, dataset."""
    folder = tmp_path_factory.mktemp("server")
    write_csv(folder / "log.csv", EVENTS)
    with served(folder, "--seats", "2") as server:
        yield server, server.run("datasets", "upload", "log.csv", "--json").json["datasetId"]


@pytest.mark.parametrize("phase", ["Data Loading", "Process Discovery", "Performance Analysis", "Report Generation"])
@pytest.mark.parametrize(("force", "within_s"), [(True, 1.0), (False, 6.0)])
@pytest.mark.parametrize("after_s", [0.05, 1.0])
async def test_a_busy_worker_is_stopped_in_time(mined, phase, force, within_s, after_s):
    """Whatever library is at work, and however deep in it."""
    server, dataset = mined
    async with Client(settings=Settings(server.address, server.token, TENANT, PROJECT)) as client:
        stopped = await stopped_beside_another(client, dataset, phase, force=force, after_s=after_s)
    how = "forced" if force else "graceful"
    logging.getLogger(__name__).info("%s, %s: %.2f s by %s", phase, how, stopped.seconds, stopped.receipt.stopped_by)
    check(stopped, within_s)
