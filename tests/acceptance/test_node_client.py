"""Another language speaks to the server: Node, with the .proto files and two grpc packages as all it knows."""

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from lodestream.cli.protos import write_protos
from lodestream.samples.loan_applications import write_log
from tools.demo.server import serving

NODE = Path(__file__).with_name("node")

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.timeout(300),  # npm fetches packages, and the server does real work
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node.js 18 or newer with npm"),
]


async def output_of(*command: str, folder: Path, **environment: str) -> str:
    """What a command prints; its complaint fails the test."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=os.environ | environment, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_a_client_of_another_language_uploads_watches_drops_the_stream_and_resumes(tmp_path):
    """Generated from `lodestream protos DIR` alone, it hears every event once and in order over several connections."""
    folder = Path(shutil.copytree(NODE, tmp_path / "node", ignore=shutil.ignore_patterns("node_modules")))
    await output_of("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", folder=folder)
    await asyncio.to_thread(write_protos, folder / "protos")
    truth = await asyncio.to_thread(write_log, folder / "loans.csv", 2_000)
    async with serving(tmp_path) as ready:
        command = ("node", "client.mjs", "protos", ready["grpc"], "loans.csv")
        told = json.loads(await output_of(*command, folder=folder, LODESTREAM_TOKEN=ready["token"]))
    assert told["cases"] == truth.cases
    assert told["drops"] == 3
    assert told["connections"] > told["drops"]
    assert told["artifacts"] > 0
