"""What a call would be answered and why, worked out in a copy of the session: nothing happens."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from lodestream import status, wire
from lodestream.errors import InvalidField, LodestreamError, NotFound, Violation
from lodestream.rich_status import code_of
from lodestream_mock import routes
from lodestream_mock.answers.call import Call, checked
from lodestream_mock.contract import methods
from lodestream_mock.doors.servicers import answered
from lodestream_mock.play import typed
from lodestream_mock.session.session import Session
from lodestream_mock.v1 import control_pb2 as control

_DRY = frozenset({"PingWebhook", "RedeliverDelivery"})


async def explain(session: Session, asked: control.ExplainRequest) -> control.ExplainResponse:
    """Raises InvalidField when no method was meant."""
    out = control.ExplainResponse()
    said = out.explanation
    try:
        name, request = _meant(session, asked)
    except LodestreamError as error:
        return _refused(out, error)
    out.method = name
    said.append(
        f"This is {name}; the scenario is {session.scenario.name}, its clock stands at {session.now_ms / 1000:g} s."
    )
    fault = session.faults.take(name)
    if fault:
        said.append(f"The fault {fault.fault_id} ({fault.kind}) would fire first.")
    if methods()[name].streams or methods()[name].uploads:
        said.append("It is a stream: only its request is checked here.")
    language: wire.Language = "tr" if (asked.language or session.settings.language) == "tr" else "en"
    call = Call(session.fork(), name, language)
    try:
        checked(request)
        if methods()[name].streams or methods()[name].uploads or name in _DRY:
            out.code, out.http_status = "OK", 200
            return out
        answer: Message = await answered(call, request)
    except LodestreamError as error:
        return _refused(out, error)
    out.code, out.http_status = "OK", 200
    out.example, out.provenance = call.provenance.example, call.provenance.status
    if found := typed.struct(wire.to_dict(answer, language)):
        out.answer.CopyFrom(found)
    said.append(_why(session, call))
    return out


def _why(session: Session, call: Call) -> str:
    if call.provenance.status == "documented":
        return f"The answer is the documented example {call.provenance.example} ({call.provenance.source})."
    if session.pinned:
        return "No page shows this answer: it is worked out from the scenario."
    return "The documented moment is not now, so the answer is worked out from the scenario and the clock."


def _refused(out: control.ExplainResponse, error: LodestreamError) -> control.ExplainResponse:
    out.code, out.http_status = code_of(error).name, status.of(error.reason).http
    out.provenance = "derived"
    out.explanation.append(f"{error.reason}: {error.message}")
    out.explanation.extend(f"{violation.field}: {violation.description}" for violation in error.violations)
    return out


def _meant(session: Session, asked: control.ExplainRequest) -> tuple[str, Any]:
    body = MessageToDict(asked.request)
    if asked.request_line:
        return _from_line(asked.request_line, body)
    if asked.method not in methods():
        raise InvalidField.of(Violation("method", f"is none of the contract's: {', '.join(sorted(methods()))}"))
    request = methods()[asked.method].request
    try:
        return asked.method, wire.from_json(_whole(body), request)
    except wire.Refused as refused:
        raise _invalid(refused) from None


def _from_line(line: str, body: dict[str, Any]) -> tuple[str, Any]:
    verb, _, target = line.partition(" ")
    parts = urlsplit(target)
    found = routes.find(verb.upper(), parts.path)
    if found is None:
        raise NotFound(unknown_route(verb.upper(), parts.path))
    route, keys = found
    query = parse_qs(parts.query, keep_blank_values=True)
    request = methods()[route.method].request
    try:
        made = (
            wire.from_request(request, keys, query, _whole(body))
            if route.with_body
            else wire.from_params(request, keys, query)
        )
        return route.method, made
    except wire.Refused as refused:
        raise _invalid(refused) from None


def unknown_route(verb: str, path: str) -> str:
    """What to tell somebody whose request line no method has."""
    if verbs := routes.verbs_at(path):
        return f"{path} does not take {verb}; it takes {', '.join(verbs)}."
    near = "; ".join(routes.nearest(verb, path))
    return f"No operation has the path {path[:200]}. Nearest: {near}. /openapi.yaml lists all of them."


def _invalid(refused: wire.Refused) -> InvalidField:
    return InvalidField.of(
        *(Violation(p.pointer or "body", ": ".join(filter(None, (p.reason, p.fix)))) for p in refused.problems)
    )


def _whole(value: Any) -> Any:
    """Struct has no integers: what is whole was meant as one."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value
