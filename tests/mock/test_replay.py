"""Every documented request is answered with the documented answer, and every RPC of the contract is answered at all."""

from typing import Any

import pytest
from grpc import StatusCode, aio
from lodestream_mock.answers import load
from lodestream_mock.answers.call import ANSWERS, STREAMS, UPLOADS
from lodestream_mock.contract import methods

from lodestream import documented, wire
from tests.mock.world import IDS, World, documented_body, request_of

DOCUMENTED = sorted(name for name, method in methods().items() if method.example)


def test_there_are_twenty_documented_answers():
    """22 endpoints, two of which show no answer."""
    assert len(DOCUMENTED) == 20


@pytest.mark.parametrize("language", ["en", "tr"])
async def test_a_walk_over_every_example_in_one_session_gives_the_documented_answers(language):
    """In the order of the pages, writes included; each says which file it is and where that comes from."""
    world = World()
    by_operation = {methods()[name].example: name for name in DOCUMENTED}
    for endpoint in documented.endpoints()["documented"]:
        name = by_operation.get(f"{endpoint['id']}.response")
        if name is None:
            continue
        call = world.start(name, request_of(name, documented_body(name, language)), language)
        assert wire.to_dict(await call, language) == documented.example(methods()[name].example, language), name
        trailers = dict(await call.trailing_metadata())
        assert trailers["lodestream-provenance"] == "documented"
        assert trailers["lodestream-example"] == f"{language}/{methods()[name].example}.json"
        assert trailers["lodestream-source"] in {entry["source"] for entry in documented.manifest()}


def test_every_rpc_of_the_contract_has_an_answer():
    """None is left UNIMPLEMENTED."""
    load()
    assert set(methods()) == set(ANSWERS) | set(STREAMS) | set(UPLOADS)


@pytest.mark.parametrize("name", sorted(name for name, m in methods().items() if not (m.streams or m.uploads)))
async def test_every_unary_rpc_answers_the_documented_ids(name):
    """With what its page asks for, or the least that the contract takes."""
    all_least: dict[str, dict[str, Any]] = {
        "ReprioritizeJob": {"job_id": "ee0e8400-e29b-41d4-a716-446655440000", "priority": 4},
        "RegisterResource": {"resource_type": 1, "resource_name": "Mine"},
        "CreateKey": {"name": "ci", "role": 1},
        "RevokeKey": {"prefix": ""},
        "RedeliverDelivery": {"delivery_id": "none"},
    }
    least = all_least.get(name, {})
    world = World()
    if name == "RevokeKey":
        made = await world.call("CreateKey", name="ci", role=1)
        least = {"prefix": made.key.prefix}
    request = request_of(name, documented_body(name, "en"), **least)
    if name == "RedeliverDelivery":  # nothing was delivered yet, so there is nothing to deliver again
        with pytest.raises(aio.AioRpcError, match="there is no delivery 'none'"):
            await world.call(name, request)
        return
    answer = await world.call(name, request)
    wire.checked(answer)
    assert wire.to_json(answer)


@pytest.mark.parametrize(
    ("method", "fields", "key", "left"),
    [
        ("ListJobs", {"status": 3}, "jobs", ["dd0e8400-e29b-41d4-a716-446655440000"]),
        ("ListJobs", {"job_type": 4}, "jobs", []),
        ("ListJobs", {"submitted_by": "user123"}, "jobs", [IDS["job_id"]]),
        ("ListJobs", {"page": 2, "page_size": 1}, "jobs", ["dd0e8400-e29b-41d4-a716-446655440000"]),
        ("ListOperations", {"priority": 3}, "operations", [IDS["operation_id"]]),
        ("TrackJobs", {"status": 1}, "jobs", ["ee0e8400-e29b-41d4-a716-446655440000"]),
        ("TrackJobs", {"job_ids": [IDS["job_id"], "nobody"]}, "jobs", [IDS["job_id"]]),
    ],
)
async def test_explicit_parameters_filter_the_documented_lists(method, fields, key, left):
    """And nothing else does; the summary still counts everything."""
    answer = await World().call(method, **fields)
    ids = [getattr(entry, "job_id", "") or entry.operation_id for entry in getattr(answer, key)]
    assert ids == left


async def test_explicit_parameters_filter_logs_timeline_metrics_and_results():
    """Level is a threshold, major events leave progress out, parts and phases can be picked."""
    world = World()
    logs = await world.call("GetJobLogs", level=3)
    assert [line.level for line in logs.logs] == [3, 4]
    assert logs.logs_summary.total_entries == 247
    timeline = await world.call("GetJobTimeline", granularity=3)
    assert len(timeline.timeline) == 9
    metrics = await world.call("GetJobMetrics", metrics=[1], include_history=False)
    assert not metrics.historical_metrics
    assert not metrics.current_metrics.resource_utilization.HasField("memory")
    results = await world.call("GetOperationResults", phase="Process Discovery", include_artifacts=False)
    assert ([entry.phase_name for entry in results.phase_results], len(results.artifacts)) == (["Process Discovery"], 0)
    outputs = await world.call("GetJobResults", output_type=4)
    assert [output.type for output in outputs.results.additional_outputs] == ["ProcessMap"]
    assert not outputs.results.HasField("primary_output")


async def test_what_a_body_shares_with_the_answer_is_echoed():
    """Here and when the run is asked for later."""
    world = World()
    body = documented_body("StartOperation", "en") | {"operationName": "Mine", "timeout": 60}
    started = await world.call("StartOperation", request_of("StartOperation", body))
    assert (started.operation_id, started.operation_name) == (IDS["operation_id"], "Mine")
    assert started.timeout_at.seconds - started.date_created.seconds == 60
    assert (await world.call("GetOperation")).operation_name == "Mine"


async def test_an_own_workload_keeps_its_name():
    """Started as Custom, it is shown, listed, filtered and retried under the name that the caller gave."""
    world = World(scenario="operation-retried", clock="step")
    own = {"operationType": "Custom", "customType": "TopActivities"}
    body = {**documented_body("StartOperation", "en"), **own}
    started = await world.call("StartOperation", request_of("StartOperation", body))
    assert wire.to_dict(started).items() >= own.items()
    listed = await world.call("ListOperations", custom_type="TopActivities")
    assert [entry.operation_id for entry in listed.operations] == [started.operation_id]
    job = {"jobType": "Custom", "customType": "TopActivities"}
    submitted = await world.call("SubmitJob", request_of("SubmitJob", {**documented_body("SubmitJob", "en"), **job}))
    assert wire.to_dict(await world.call("GetJob", job_id=submitted.job_id)).items() >= job.items()
    assert wire.to_dict(await world.call("GetOperation", operation_id=started.operation_id)).items() >= own.items()
    with pytest.raises(aio.AioRpcError, match="custom_type: is required where the type is Custom"):
        await world.call("StartOperation", request_of("StartOperation", {**body, "customType": ""}))


async def test_the_first_submission_has_the_documented_id_and_later_ones_follow_from_the_seed():
    """The same under the same seed, others under another."""
    body = documented_body("SubmitJob", "en")

    async def ids(seed):
        world = World(seed=seed)
        return [(await world.call("SubmitJob", request_of("SubmitJob", body))).job_id for _ in range(3)]

    assert await ids(1) == await ids(1)
    assert (await ids(1))[0] == (await ids(2))[0] == "ee0e8400-e29b-41d4-a716-446655440000"
    assert set((await ids(1))[1:]).isdisjoint((await ids(2))[1:])


async def test_a_request_id_has_one_effect():
    """The same answer for the same body, a refusal for another."""
    world = World()
    request = request_of("SubmitJob", documented_body("SubmitJob", "en"), request_id="once")
    assert (await world.call("SubmitJob", request)) == (await world.call("SubmitJob", request))
    request.job_name = "Another"
    with pytest.raises(aio.AioRpcError, match="used before with another request"):
        await world.call("SubmitJob", request)


@pytest.mark.parametrize(
    ("method", "fields", "told"),
    [
        (
            "GetJob",
            {"job_id": "cc0e8400-e29b-41d4-a716-446655440001"},
            "Did you mean cc0e8400-e29b-41d4-a716-446655440000?",
        ),
        ("GetJob", {"job_id": IDS["operation_id"]}, "that id is an operation"),
        ("GetOperation", {"operation_id": "op-zz"}, "op-gg1e8400-e29b-41d4-a716-446655440000, op-ff0e8400"),
        ("GetWebhook", {"webhook_id": "wh-1"}, "There are: wh-123e8400"),
        ("GetDataset", {"dataset_id": "dataset-2"}, "Did you mean dataset-1?"),
    ],
)
async def test_an_unknown_id_explains_itself(method, fields, told):
    """NOT_FOUND, with the nearest ids."""
    with pytest.raises(aio.AioRpcError) as caught:
        await World().call(method, **fields)
    assert caught.value.code() is StatusCode.NOT_FOUND
    assert told in (caught.value.details() or "")


async def test_invalid_input_names_every_field_at_fault():
    """What is wrong with it and what to give."""
    with pytest.raises(aio.AioRpcError) as caught:
        await World().call("SubmitJob", request_of("SubmitJob", tenant_id="nobody"))
    assert caught.value.code() is StatusCode.INVALID_ARGUMENT
    status = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
    for part in (b"tenant_id", b"is not a GUID", b"job_name", b"is required", b"job_type"):
        assert part in status
