"""A real mining run is stopped at its busiest; tests/acceptance measures every phase of a big log."""

import pytest

from lodestream.client import Client, Settings
from tests.support.cancelling import check, stopped_beside_another
from tests.support.ordeal import write_xes
from tests.support.server import PROJECT, TENANT, running_server


@pytest.mark.parametrize(("force", "within_s"), [(True, 1.0), (False, 6.0)])
async def test_a_run_that_loads_a_log_stops_in_time_and_the_one_beside_it_goes_on(tmp_path, force, within_s):
    """Forced within a second, gracefully within six."""
    write_xes(tmp_path / "log.xes.gz", cases=8_000)
    async with (
        running_server(tmp_path / "data") as server,
        Client(settings=Settings(server.address, server.token, TENANT, PROJECT)) as client,
    ):
        dataset = await client.upload_dataset(tmp_path / "log.xes.gz")
        stopped = await stopped_beside_another(client, dataset.dataset_id, "Data Loading", force=force, after_s=0.2)
    check(stopped, within_s)
