"""The anchors of the queue bench: installed once below out/bench, started and stopped per round.

Nothing of them is a dependency of the project. celery, redis and huey go into an environment of their own; a
redis-server is taken from the machine or unpacked from Debian's packages. What cannot be had is named with the reason.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "out" / "bench"
PYTHON = PLACE / "anchors" / "bin" / "python"
#: As measured; another version is another measurement.
PACKAGES = ("celery[redis]==5.7.0", "huey==3.5.4")
_DEBS = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1")
#: As many as our server has.
WORKERS = 2
_START_S = 30.0


class Missing(Exception):
    """An anchor that cannot be had here, and why."""


@dataclass(frozen=True, slots=True)
class Program:
    """A command and what it must find in its environment."""

    command: Sequence[str]
    environment: Mapping[str, str]


@cache
def packages() -> None:
    """Installs the anchors' Python packages. Raises Missing."""
    wanted = PLACE / "anchors" / "installed"
    if wanted.exists() and wanted.read_text() == " ".join(PACKAGES):
        return
    _run([sys.executable, "-m", "venv", str(PYTHON.parents[1])])
    _run([str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES])
    wanted.write_text(" ".join(PACKAGES))


@cache
def redis_server() -> Program:
    """The machine's redis-server, or the one of Debian's packages. Raises Missing."""
    if (found := shutil.which("redis-server")) is not None:
        return Program([found], {})
    place = PLACE / "redis"
    binary = place / "usr" / "bin" / "redis-server"
    if not binary.exists():
        place.mkdir(parents=True, exist_ok=True)
        _run(["apt-get", "-o", "APT::Sandbox::User=root", "download", *_DEBS], cwd=place)
        for package in sorted(place.glob("*.deb")):
            _run(["dpkg", "-x", package.name, "."], cwd=place)
    libraries = next((place / "usr" / "lib").glob("*-linux-gnu"), place)
    return Program([str(binary)], {"LD_LIBRARY_PATH": str(libraries)})


@contextmanager
def celery(folder: Path) -> Iterator[Program]:
    """Redis that syncs every write, and a worker of celery; the client's command. Raises Missing."""
    packages()
    server, port = redis_server(), _free_port()
    durable = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    durable += ["--appendonly", "yes", "--appendfsync", "always"]
    known = {"LODESTREAM_BENCH_REDIS": f"redis://127.0.0.1:{port}/0"}
    app = ["-m", "celery", "-A", "tools.bench._queue_celery", "worker", "-P", "prefork", "-c", str(WORKERS)]
    with ExitStack() as stack:
        stack.enter_context(_background(Program([*server.command, *durable], server.environment), folder))
        _await_port(port)
        worker = Program([str(PYTHON), *app, "--without-gossip", "--without-mingle", "--loglevel", "ERROR"], known)
        stack.enter_context(_background(worker, folder))
        yield Program([str(PYTHON), "-m", "tools.bench._queue_celery"], known)


@contextmanager
def huey(folder: Path) -> Iterator[Program]:
    """A consumer of huey that looks every millisecond; the client's command. Raises Missing."""
    packages()
    consumer = ["-m", "huey.bin.huey_consumer", "tools.bench._queue_huey.huey", "-k", "process", "-w", str(WORKERS)]
    tuned = ["-d", "0.001", "-m", "0.001", "-b", "1.0", "-n", "-q"]
    with _background(Program([str(PYTHON), *consumer, *tuned], {}), folder):
        yield Program([str(PYTHON), "-m", "tools.bench._queue_huey"], {})


@contextmanager
def ours(folder: Path) -> Iterator[Program]:
    """The server; the client's command."""
    command = [sys.executable, "-m", "tools.bench._queue_ours"]
    with _background(Program([*command, "serve"], {}), folder) as server:
        assert server.stdout is not None
        server.stdout.readline()
        yield Program(command, {})


def environment(program: Program, folder: Path) -> dict[str, str]:
    """What a program of this bench finds around it."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "LODESTREAM_BENCH_FOLDER": str(folder), **program.environment}


@contextmanager
def _background(program: Program, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (
        (folder / "programs.log").open("ab") as log,
        subprocess.Popen(
            program.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(program, folder),
            cwd=ROOT,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()


def _await_port(port: int) -> None:
    with ExitStack() as stack:
        probe = stack.enter_context(socket.socket())
        probe.settimeout(_START_S)
        while probe.connect_ex(("127.0.0.1", port)):
            probe.close()
            probe = stack.enter_context(socket.socket())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: Sequence[str], cwd: Path | None = None) -> None:
    try:
        subprocess.run(command, cwd=cwd, check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as fault:
        said = (getattr(fault, "stderr", None) or b"").decode(errors="replace").strip()
        raise Missing(f"{command[0]}: {said[-200:] or fault}") from fault
