"""`lodestream mock ...` and `lodestream verify`. The command line finds them through entry points.

Nothing of the mock is imported before a command runs. Exit codes: 0 done, 1 the answer is no, 2 wrong usage.
"""

import asyncio
import gc
import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

_GRPC = "127.0.0.1:50061"
_REST = "127.0.0.1:8061"
_EPILOG = """Examples:

lodestream mock serve   (gRPC on 127.0.0.1:50061, REST on 127.0.0.1:8061)

lodestream mock serve --grpc 127.0.0.1:0 --rest 127.0.0.1:0 --ready-file mock.json   (free ports; the file tells which)

lodestream mock serve --scenario operation-lifecycle --clock step

lodestream mock serve --scenario my-story.yaml --rest none   (your own story; gRPC alone)"""


def register(app: typer.Typer) -> None:
    """Adds the group `mock` to the command line."""
    group = typer.Typer(no_args_is_help=True, help="The mock server: the documentation, replayed.")
    add_commands(group)
    app.add_typer(group, name="mock")


def register_verify(app: typer.Typer) -> None:
    """Adds `verify` to the command line."""
    app.command("verify")(verify)


def add_commands(app: typer.Typer) -> None:
    """Adds the commands themselves."""
    app.command("serve", epilog=_EPILOG)(serve)
    for command in (check, quirks, explain, coverage, wait):
        app.command(command.__name__)(command)


def serve(
    grpc: Annotated[str, typer.Option(help="HOST:PORT of the gRPC door; port 0 takes a free one.")] = _GRPC,
    rest: Annotated[str, typer.Option(help='HOST:PORT of the REST door; "none" shuts it.')] = _REST,
    scenario: Annotated[str, typer.Option(help="What sessions play: a name, or your own .yaml file.")] = "documented",
    clock: Annotated[str, typer.Option(help="frozen, step, auto, wall or scaled:RATE. [default: the scenario's]")] = "",
    language: Annotated[str, typer.Option(help="en or tr, for callers that ask for none.")] = "en",
    seed: Annotated[int, typer.Option(help="Later ids follow from it.", min=0)] = 0,
    ready_file: Annotated[
        Path | None, typer.Option(help="Written when calls are answered: the addresses as JSON.")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A host besides the loopback that webhooks may be posted to.")
    ] = None,
    contract_version: Annotated[str, typer.Option(help="Refuse to start unless this contract is replayed.")] = "",
) -> None:
    """Run the mock until SIGTERM or Ctrl-C."""
    from lodestream_mock import app
    from lodestream_mock.scenarios import UnknownScenario, WrongScenario
    from lodestream_mock.session.clock import UnknownClock
    from lodestream_mock.session.settings import SessionSettings, UnknownLanguage
    from lodestream_mock.settings import BadSetting, MockSettings, check_version

    gc.disable()  # nothing of a start is garbage; a tenth of its time
    try:
        check_version(contract_version)
        sessions = SessionSettings(scenario=scenario, clock=clock, language=language, seed=seed)
        shut = rest.lower() in ("", "none", "off")
        settings = MockSettings(grpc, "" if shut else rest, sessions, ready_file, tuple(allow_host or ()))
        asyncio.run(app.serve(settings, _announce))
    except WrongScenario as error:
        _say(f"--scenario {scenario} has mistakes:", *map(str, error.mistakes))
        raise typer.Exit(2) from None
    except UnknownScenario as error:
        _say(f"--scenario: {error}")
        raise typer.Exit(2) from None
    except UnknownClock as error:
        _say(f"--clock: {error}")
        raise typer.Exit(2) from None
    except UnknownLanguage as error:
        _say(f"--language: {error}")
        raise typer.Exit(2) from None
    except BadSetting as error:
        _say(str(error))
        raise typer.Exit(2) from None


def _announce(mock: Any) -> None:
    gc.enable()
    gc.freeze()
    doors = f"gRPC on {mock.grpc}" + (f", REST on {mock.rest}" if mock.rest else "")
    sys.stderr.write(f"The mock answers: {doors}\n")
    sys.stderr.flush()


def check(file: Annotated[Path, typer.Argument(help="A scenario file, or - for standard input.")]) -> None:
    """Explain every mistake in a scenario file, with line and path."""
    from lodestream_mock.scenarios import mistakes

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        _say(f"{file}: {error.strerror if isinstance(error, OSError) else 'is not UTF-8 text'}")
        raise typer.Exit(2) from None
    found = mistakes(text)
    for mistake in found:
        _out(f"{file}: {mistake}")
    if found:
        raise typer.Exit(2)
    _out(f"{file}: can be played")


def quirks() -> None:
    """List where the documentation contradicts itself; the mock replays it as it stands."""
    from importlib.resources import files

    entries = json.loads(files("lodestream_mock").joinpath("quirks.json").read_text(encoding="utf-8"))
    for entry in entries:
        _out(f"{entry['example']}  {entry['where']}\n    {entry['what']}")


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
            _say(f"--body: {error}")
            raise typer.Exit(2) from None
    answer = _control(grpc, "Explain", asked) if grpc else asyncio.run(_explained(scenario, language, asked))
    _out(json.dumps(wire.to_dict(answer), indent=2, ensure_ascii=False))
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
        _say(str(error))
        raise typer.Exit(2) from None


def coverage(
    grpc: Annotated[str, typer.Option(help="The running mock.")] = _GRPC,
    form: Annotated[str, typer.Option("--format", help="text, json or junit.")] = "text",
    fail_under: Annotated[float, typer.Option(help="Exit 1 below this percentage.", min=0, max=100)] = 0,
) -> None:
    """Tell what the calls so far have exercised: operations, examples, errors, streams."""
    from lodestream import wire
    from lodestream_mock.control import coverage as covering
    from lodestream_mock.v1 import control_pb2 as control

    if form not in ("text", "json", "junit"):
        _say(f"--format: no format is called {form!r}: use text, json or junit")
        raise typer.Exit(2)
    answer = _control(grpc, "GetCoverage", control.GetCoverageRequest())
    items = [(item.group, item.name, item.count) for item in answer.items]
    if form == "json":
        _out(json.dumps(wire.to_dict(answer), indent=2, ensure_ascii=False))
    else:
        sys.stdout.write(covering.as_text(items) if form == "text" else covering.as_junit(items))
    if answer.percent < fail_under:
        _say(f"{answer.percent:.1f} % exercised, {fail_under:g} % wanted")
        raise typer.Exit(1)


def wait(
    ready_file: Annotated[Path | None, typer.Option(help="Wait for this file of `mock serve`.")] = None,
    grpc: Annotated[str, typer.Option(help="Wait for this address instead.")] = _GRPC,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.", min=0)] = 30,
) -> None:
    """Wait until a mock answers; print its addresses."""
    import grpc as grpc_

    end = time.monotonic() + timeout
    target, doors = grpc, {"grpc": grpc}
    while ready_file:
        if ready_file.exists():
            doors = json.loads(ready_file.read_text(encoding="utf-8"))
            target = doors["grpc"]
            break
        if time.monotonic() > end:
            _say(f"{ready_file} did not appear within {timeout:g} s: is `lodestream mock serve` running?")
            raise typer.Exit(1)
        time.sleep(0.02)  # noqa: TID251  # another process writes the file, and cannot tell us
    with grpc_.insecure_channel(target) as channel:
        try:
            grpc_.channel_ready_future(channel).result(timeout=max(0.1, end - time.monotonic()))
        except grpc_.FutureTimeoutError:
            _say(f"{target} did not answer within {timeout:g} s: is `lodestream mock serve` running there?")
            raise typer.Exit(1) from None
    _out(json.dumps(doors))


def verify(
    grpc: Annotated[str, typer.Option(help="gRPC address of the server.")] = _GRPC,
    rest: Annotated[str, typer.Option(help='REST address, http://host:port; "none" leaves that door out.')] = "",
    token: Annotated[str, typer.Option(envvar="LODESTREAM_TOKEN", help="API key.")] = "mock",
    tenant: Annotated[str, typer.Option(help="Tenant to work in.")] = "22222222-2222-4222-8222-222222222222",
    project: Annotated[str, typer.Option(help="Project to work in.")] = "33333333-3333-4333-8333-333333333333",
    as_json: Annotated[bool, typer.Option("--json", help="A JSON document instead of lines.")] = False,
) -> None:
    """Run the contract against any server: documented keys, types, words, status codes, stream rules."""
    from lodestream_mock.verifier import checks
    from lodestream_mock.verifier.target import Target, Unreachable

    target = Target(grpc, "" if rest in ("", "none") else rest, token, tenant, project)
    try:
        findings = checks.run(target)
    except Unreachable as error:
        _say(str(error))
        raise typer.Exit(3) from None
    finally:
        target.close()
    if as_json:
        _out(json.dumps([finding.as_dict() for finding in findings], indent=2, ensure_ascii=False))
    else:
        for finding in findings:
            _out(str(finding))
        drift = [finding for finding in findings if finding.drift]
        _out(f"{len(findings)} checks, {len(drift)} drift from the contract")
    raise typer.Exit(1 if any(finding.drift for finding in findings) else 0)


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
            _say(details)
            raise typer.Exit(2) from None


def _out(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _say(*lines: str) -> None:
    for line in lines:
        sys.stderr.write(f"lodestream mock: {line}\n")
