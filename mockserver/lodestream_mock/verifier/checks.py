"""The checks: each names the endpoint it is about and says what drifts, or that nothing does.

They hold for every server of the contract: a small log is uploaded, one operation and one job run to their end, and
every answer on the way is read strictly, over both doors.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc

from lodestream import wire
from lodestream_mock.contract import methods
from lodestream_mock.verifier.target import Said, Target

_NOBODY = "00000000-0000-4000-8000-00000000dead"
_ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of an endpoint; `drift` is "" when the server keeps the contract there."""

    endpoint: str
    check: str
    drift: str = ""

    def __str__(self) -> str:
        said = f"{self.endpoint}: {self.check}"
        return f"DRIFT {said}: {self.drift}" if self.drift else f"ok    {said}"

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def run(target: Target) -> list[Finding]:
    """Every check, in order. Raises Unreachable when nobody answers."""
    out: list[Finding] = []
    target.prepare()
    for part in (_reading, _refusals, _operation, _job):
        try:
            out.extend(part(target))
        except grpc.RpcError as error:
            details: Any = error
            out.append(
                Finding(part.__name__.strip("_"), "can be called", f"{details.code().name}: {details.details()}")
            )
    return out


def _both(target: Target, method: str, request: Any) -> Iterator[Finding]:
    """The answer is the contract's over gRPC, and the same document over REST."""
    try:
        answer = target.call(method, request)
    except grpc.RpcError as error:
        yield Finding(method, "can be called", f"{error.code().name}: {error.details()}")
        return
    faults = wire.check(answer)
    yield Finding(method, "typed answer keeps the contract", "; ".join(map(str, faults)))
    if target.rest:
        yield from _as_document(method, target.over_rest(method, request))


def _as_document(method: str, said: Said) -> Iterator[Finding]:
    if said.status != "200":
        yield Finding(method, "REST answers 200", f"it answers {said.status}: {said.document or said.detail}")
        return
    kind = methods()[method].response
    try:
        message = wire.from_json(said.document, kind)
    except wire.Refused as refused:
        yield Finding(method, "documented keys, types and words", str(refused))
        return
    lacking = list(_lacking(wire.to_dict(message), said.document))
    yield Finding(method, "documented keys, types and words", f"lacks {', '.join(lacking)}" if lacking else "")


def _lacking(whole: Any, shown: Any, path: str = "") -> Iterator[str]:
    """Pointers of keys that are always there by the contract and are not in a document."""
    if isinstance(whole, dict) and isinstance(shown, dict):
        for key, value in whole.items():
            if key in shown:
                yield from _lacking(value, shown[key], f"{path}/{key}")
            else:
                yield f"{path}/{key}"
    elif isinstance(whole, list) and isinstance(shown, list):
        for index, (one, other) in enumerate(zip(whole, shown, strict=False)):
            yield from _lacking(one, other, f"{path}/{index}")


def _reading(target: Target) -> Iterator[Finding]:
    """What can be asked of an empty project."""
    for method in (
        "GetSystemStatus",
        "ListJobs",
        "ListOperations",
        "GetQueue",
        "TrackJobs",
        "ListWebhooks",
        "ListDatasets",
    ):
        yield from _both(target, method, target.request(method))


def _refusals(target: Target) -> Iterator[Finding]:
    """Ids that nobody knows, fields that do not fit."""
    for method, key in (
        ("GetJob", "jobId"),
        ("GetOperation", "operationId"),
        ("GetBatch", "batchId"),
        ("GetJobLogs", "jobId"),
    ):
        request = target.request(method, **{key: _NOBODY})
        yield _expected(method, "an unknown id is NOT_FOUND", target.code(method, request), "NOT_FOUND")
        if target.rest:
            said = target.over_rest(method, request)
            yield _expected(method, "an unknown id is 404", said.status, "404")
            yield Finding(
                method, "problems are RFC 9457", "" if _is_problem(said) else f"got {said.document or said.detail}"
            )
    request = target.request("SubmitJob")
    yield _expected(
        "SubmitJob", "a missing name is INVALID_ARGUMENT", target.code("SubmitJob", request), "INVALID_ARGUMENT"
    )
    if target.rest:
        said = target.over_rest("ListJobs", target.request("ListJobs"), {"pageSize": "0"})
        yield _expected("ListJobs", "pageSize=0 is 400", said.status, "400")
        said = target.over_rest("ListJobs", target.request("ListJobs"), {"status": "Runing"})
        yield _expected("ListJobs", "an unknown word is 400", said.status, "400")


def _operation(target: Target) -> Iterator[Finding]:
    dataset = _uploaded(target)
    started = target.call(
        "StartOperation",
        target.request(
            "StartOperation",
            operationType="ProcessMiningAnalysis",
            operationName="Contract verification",
            parameters={"datasetId": dataset},
        ),
    )
    run_id = started.operation_id
    yield Finding("StartOperation", "accepts a valid body", "" if run_id else "the answer names no operationId")
    yield from _followed(target, "WatchOperation", {"operationId": run_id})
    yield from _both(target, "GetOperation", target.request("GetOperation", operationId=run_id))
    ended = target.call("GetOperation", target.request("GetOperation", operationId=run_id))
    word = type(ended).DESCRIPTOR.fields_by_name["status"].enum_type.values_by_number[ended.status].name
    yield Finding("GetOperation", "has ended after done", "" if word.endswith(_ENDED) else f"it is {word}")
    yield from _both(target, "GetOperationResults", target.request("GetOperationResults", operationId=run_id))
    for method in ("GetJobLogs", "GetJobProgress", "GetJobTimeline", "GetJobMetrics"):
        yield from _both(target, method, target.request(method, jobId=run_id))
    if word.endswith("COMPLETED"):
        code = target.code("CancelOperation", target.request("CancelOperation", operationId=run_id))
        yield _expected("CancelOperation", "a completed one is FAILED_PRECONDITION", code, "FAILED_PRECONDITION")


def _job(target: Target) -> Iterator[Finding]:
    dataset = _uploaded(target)
    body = {"jobName": "Contract verification", "jobType": "ProcessMining", "parameters": {"datasetId": dataset}}
    submitted = target.call("SubmitJob", target.request("SubmitJob", **body))
    yield Finding("SubmitJob", "accepts a valid body", "" if submitted.job_id else "the answer names no jobId")
    yield from _followed(target, "WatchJob", {"jobId": submitted.job_id})
    for method in ("GetJob", "GetJobResults", "GetJobProgress"):
        yield from _both(target, method, target.request(method, jobId=submitted.job_id))


def _followed(target: Target, method: str, ids: dict[str, str]) -> Iterator[Finding]:
    """Events from 1 without holes, done last and once, a token that goes on where it stands."""
    twin = method.replace("Watch", "Get")
    request = methods()[method].request(request=target.request(twin, **ids), replay=True)
    frames = list(target.stream(method, request))
    kinds = [frame.WhichOneof("frame") for frame in frames]
    done_last = kinds[-1:] == ["done"] and kinds.count("done") == 1
    yield Finding(method, "done comes last, once", "" if done_last else f"the frames are {kinds[-5:]}")
    numbers = _numbers(frames)
    whole = numbers == list(range(1, len(numbers) + 1))
    yield Finding(method, "every event once, in order", "" if whole and numbers else f"the numbers are {numbers[:20]}")
    if frames:
        middle = len(frames) // 2
        request.resume_token, request.replay = frames[middle].resume_token, False
        rest = _numbers(list(target.stream(method, request)))
        resumed = _numbers(frames[: middle + 1]) + rest == numbers
        yield Finding(
            method, "resumes without gap or repeat", "" if resumed else f"after frame {middle + 1} came {rest[:20]}"
        )

    if target.rest:
        events = target.events(twin, target.request(twin, **ids))
        ended = events[-1:] == ["done"] and events.count("done") == 1
        yield Finding(twin, "server-sent events end with done, once", "" if ended else f"the events are {events[-5:]}")


def _numbers(frames: list[Any]) -> list[int]:
    return [event.sequence for frame in frames if frame.HasField("events") for event in frame.events.events]


def _uploaded(target: Target) -> str:
    kind = methods()["UploadDataset"].request
    header = kind.Header(
        tenant_id=target.tenant, project_id=target.project, dataset_name="Contract verification", file_name="log.csv"
    )
    parts = [kind(header=header), kind(chunk=_log()), kind(footer=kind.Footer())]
    return str(target.upload("UploadDataset", parts).dataset_id)


def _log() -> bytes:
    """A small log with two variants."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["case_id", "activity", "timestamp", "resource"])
    begin = datetime(2024, 1, 1, 8, tzinfo=UTC)
    for case in range(50):
        steps = ["Register", "Check", "Decide"] if case % 3 else ["Register", "Decide"]
        for place, activity in enumerate(steps):
            at = begin + timedelta(hours=case, minutes=10 * place)
            rows.writerow([case, activity, at.isoformat(), f"clerk-{case % 4}"])
    return out.getvalue().encode()


def _is_problem(said: Said) -> bool:
    return isinstance(said.document, dict) and {"type", "title", "status", "detail"} <= said.document.keys()


def _expected(endpoint: str, check: str, found: str, wanted: str) -> Finding:
    return Finding(endpoint, check, "" if found == wanted else f"it is {found}")
