"""The same calls give the same messages, however often they are repeated; a thousand times in `make acceptance`."""

from lodestream_mock.scenarios import names

from tests.mock.world import World, documented_body, request_of


async def transcript(scenario):
    """Every message of a client's way through a scenario, as bytes."""
    world = World(scenario=scenario, seed=11)
    out = []
    for method in ("SubmitJob", "SubmitJob", "StartOperation", "SubmitBatch", "RegisterWebhook", "SubscribeToJob"):
        if method == "SubscribeToJob" and "cc0e8400-e29b-41d4-a716-446655440000" not in world.session.runs:
            continue
        out.append(await world.call(method, request_of(method, documented_body(method, "en"))))
    for method in ("GetOperation", "GetBatch", "ListJobs", "ListOperations", "GetQueue", "TrackJobs"):
        out += [await world.call(method) for _ in range(3)]
    world.session.clock.switch("auto")
    out += await world.frames("WatchOperation", replay=True)
    out += await world.frames("WatchBatch")
    return [message.SerializeToString(deterministic=True) for message in out]


async def test_repeated_runs_of_every_scenario_give_the_same_messages():
    """Byte for byte."""
    for scenario in names():
        if scenario in ("queue", "many-logs"):
            continue  # the same code with more of everything
        first = await transcript(scenario)
        for _ in range(2):
            assert await transcript(scenario) == first


async def test_reading_changes_nothing_but_the_step_clock():
    """On a frozen clock the hundredth answer is the first."""
    world = World(scenario="job-lifecycle", clock="frozen")
    first = await world.call("GetJob")
    for _ in range(100):
        assert await world.call("GetJob") == first
