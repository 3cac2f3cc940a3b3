"""`mock explain` and `mock coverage`: what a session would answer, and what was exercised so far."""

import asyncio
import json
import sys
from typing import Annotated, Any

import typer

from lodestream_mock.cli.output import GRPC, out, say


def explain(
    request: Annotated[str, typer.Argument(help='"GET /api/..." or a method, "GetJob".')],
    body: Annotated[str, typer.Option(help="The body, or for a method its request, as JSON.")] = "",
    session: Annotated[str, typer.Option(help="Session of a running mock: its tenant or name.")] = "dry-run",
    grpc: Annotated[str, typer.Option(help="A running mock; without it a fresh session of the scenario.")] = "",
    scenario: Annotated[str, typer.Option(help="Of the fresh session.")] = "documented",
    language: Annotated[str, typer.Option(help="en or tr.")] = "en",
) -> None:
    """Tell what a call would be answered, and why. Nothing happens."""
    from google.protobuf.json_format import ParseError

    from lodestream import wire
    from lodestream_mock.v1 import control_pb2 as control

    asked = control.ExplainRequest(session=session, language=language)
    if " " in request:
        asked.request_line = request
    else:
        asked.method = request
    if body:
        from google.protobuf.json_format import Parse

        try:
            Parse(body, asked.request)
        except ParseError as error:
            say(f"--body: {error}")
            raise typer.Exit(2) from None
    answer = _control(grpc, "Explain", asked) if grpc else asyncio.run(_explained(scenario, language, asked))
    out(json.dumps(wire.to_dict(answer), indent=2, ensure_ascii=False))
    raise typer.Exit(0 if answer.code == "OK" else 1)


async def _explained(scenario: str, language: str, asked: Any) -> Any:
    from lodestream.errors import LodestreamError
    from lodestream_mock.answers import load
    from lodestream_mock.control.explaining import explain as explained
    from lodestream_mock.session.session import Session
    from lodestream_mock.session.settings import SessionSettings

    load()
    try:
        return await explained(Session("dry-run", SessionSettings(scenario, language=language)), asked)
    except (LodestreamError, ValueError) as error:
        say(str(error))
        raise typer.Exit(2) from None


def coverage(
    grpc: Annotated[str, typer.Option(help="The running mock.")] = GRPC,
    form: Annotated[str, typer.Option("--format", help="text, json or junit.")] = "text",
    fail_under: Annotated[float, typer.Option(help="Exit 1 below this percentage.", min=0, max=100)] = 0,
) -> None:
    """Tell what the calls so far have exercised: operations, examples, errors, streams."""
    from lodestream import wire
    from lodestream_mock.control import coverage as covering
    from lodestream_mock.v1 import control_pb2 as control

    if form not in ("text", "json", "junit"):
        say(f"--format: no format is called {form!r}: use text, json or junit")
        raise typer.Exit(2)
    answer = _control(grpc, "GetCoverage", control.GetCoverageRequest())
    items = [(item.group, item.name, item.count) for item in answer.items]
    if form == "json":
        out(json.dumps(wire.to_dict(answer), indent=2, ensure_ascii=False))
    else:
        sys.stdout.write(covering.as_text(items) if form == "text" else covering.as_junit(items))
    if answer.percent < fail_under:
        say(f"{answer.percent:.1f} % exercised, {fail_under:g} % wanted")
        raise typer.Exit(1)


def _control(target: str, method: str, request: Any) -> Any:
    import grpc

    from lodestream_mock.v1 import control_pb2_grpc

    with grpc.insecure_channel(target) as channel:
        stub = control_pb2_grpc.MockControlServiceStub(channel)
        try:
            return getattr(stub, method)(request, timeout=10)
        except grpc.RpcError as error:
            code, details = error.code(), error.details() or error.code().name
            if code is grpc.StatusCode.UNAVAILABLE:
                details = f"no mock answers at {target}; start one with `lodestream mock serve`, or name it with --grpc"
            say(details)
            raise typer.Exit(2) from None
