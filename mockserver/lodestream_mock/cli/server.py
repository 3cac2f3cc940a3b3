"""`mock serve` runs the mock, `mock wait` waits until one answers."""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from lodestream_mock.cli.output import GRPC, REST, out, say

EPILOG = """Examples:

lodestream mock serve   (gRPC on 127.0.0.1:50061, REST on 127.0.0.1:8061)

lodestream mock serve --grpc 127.0.0.1:0 --rest 127.0.0.1:0 --ready-file mock.json   (free ports; the file tells which)

lodestream mock serve --scenario operation-lifecycle --clock step

lodestream mock serve --scenario my-story.yaml --rest none   (your own story; gRPC alone)"""


def serve(
    grpc: Annotated[str, typer.Option(help="HOST:PORT of the gRPC door; port 0 takes a free one.")] = GRPC,
    rest: Annotated[str, typer.Option(help='HOST:PORT of the REST door; "none" shuts it.')] = REST,
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
    from lodestream_mock.session.settings import SessionSettings
    from lodestream_mock.settings import MockSettings, check_version

    gc.disable()  # nothing of a start is garbage; a tenth of its time
    with _faults_explained(scenario):
        check_version(contract_version)
        sessions = SessionSettings(scenario=scenario, clock=clock, language=language, seed=seed)
        shut = rest.lower() in ("", "none", "off")
        settings = MockSettings(grpc, "" if shut else rest, sessions, ready_file, tuple(allow_host or ()))
        asyncio.run(app.serve(settings, _announce))


@contextmanager
def _faults_explained(scenario: str) -> Iterator[None]:
    """Faults of the options end the command with what is wrong with which of them."""
    from lodestream_mock.scenarios import UnknownScenario, WrongScenario
    from lodestream_mock.session.clock import UnknownClock
    from lodestream_mock.session.settings import UnknownLanguage
    from lodestream_mock.settings import BadSetting

    try:
        yield
    except WrongScenario as error:
        say(f"--scenario {scenario} has mistakes:", *map(str, error.mistakes))
    except UnknownScenario as error:
        say(f"--scenario: {error}")
    except UnknownClock as error:
        say(f"--clock: {error}")
    except UnknownLanguage as error:
        say(f"--language: {error}")
    except BadSetting as error:
        say(str(error))
    else:
        return
    raise typer.Exit(2)


def _announce(mock: Any) -> None:
    gc.enable()
    gc.freeze()
    doors = f"gRPC on {mock.grpc}" + (f", REST on {mock.rest}" if mock.rest else "")
    sys.stderr.write(f"The mock answers: {doors}\n")
    sys.stderr.flush()


def wait(
    ready_file: Annotated[Path | None, typer.Option(help="Wait for this file of `mock serve`.")] = None,
    grpc: Annotated[str, typer.Option(help="Wait for this address instead.")] = GRPC,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.", min=0)] = 30,
) -> None:
    """Wait until a mock answers; print its addresses."""
    import grpc as grpc_

    end = time.monotonic() + timeout
    doors = _written(ready_file, timeout) if ready_file else {"grpc": grpc}
    with grpc_.insecure_channel(doors["grpc"]) as channel:
        try:
            grpc_.channel_ready_future(channel).result(timeout=max(0.1, end - time.monotonic()))
        except grpc_.FutureTimeoutError:
            say(f"{doors['grpc']} did not answer within {timeout:g} s: is `lodestream mock serve` running there?")
            raise typer.Exit(1) from None
    out(json.dumps(doors))


def _written(ready_file: Path, timeout: float) -> dict[str, str]:
    """What the file holds as soon as it is there."""
    end = time.monotonic() + timeout
    while not ready_file.exists():
        if time.monotonic() > end:
            say(f"{ready_file} did not appear within {timeout:g} s: is `lodestream mock serve` running?")
            raise typer.Exit(1)
        time.sleep(0.02)  # noqa: TID251  # another process writes the file, and cannot tell us
    doors: dict[str, str] = json.loads(ready_file.read_text(encoding="utf-8"))
    return doors
