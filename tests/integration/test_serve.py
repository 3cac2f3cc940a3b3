"""`lodestream serve` as an operator meets it: ready file, signals, exit codes, certificates, and what it refuses."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading

import grpc
import pytest
from lodestream_server.app import running
from lodestream_server.grpc_door.listening import CannotListen, check_address
from lodestream_server.settings import ServerSettings

from lodestream.v1 import common_pb2, job_pb2, key_pb2
from lodestream.v1.job_pb2_grpc import JobServiceStub
from lodestream.v1.key_pb2_grpc import KeyServiceStub
from tests.contract.workloads import CATALOGUE
from tests.support.server import PROJECT, ROOT, TENANT, running_server, signed

START_S = 30.0


class Serving:
    """A server as a process of its own."""

    def __init__(self, folder, *options, **environment):
        self.ready_file = folder / "ready.json"
        own = {name: value for name, value in os.environ.items() if not name.startswith("LODESTREAM_")}
        words = ["--data-dir", str(folder / "data"), "--ready-file", str(self.ready_file)]
        if "--grpc" not in options and "LODESTREAM_GRPC" not in environment:
            words += ["--grpc", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lodestream", "serve", *words, *options],
            env={**own, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), **environment},
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    @property
    def ready(self):
        """What the ready file says, once it is there."""
        pause = threading.Event()
        for _ in range(int(START_S / 0.02)):
            if self.ready_file.exists():
                return json.loads(self.ready_file.read_text())
            assert self.process.poll() is None, self.end()
            pause.wait(0.02)
        raise AssertionError("no ready file")

    def stop(self, number=signal.SIGTERM):
        """Exit code and log after the signal."""
        self.process.send_signal(number)
        return self.end()

    def end(self):
        """Exit code and what it wrote."""
        _, log = self.process.communicate(timeout=START_S)
        return self.process.returncode, log


def test_the_ready_file_is_private_and_gone_after_a_clean_stop(tmp_path):
    """Address and token while calls are answered; the log is JSON, and the token is not in it."""
    with Serving(tmp_path) as server:
        ready = server.ready
        mode = stat.S_IMODE(server.ready_file.stat().st_mode)
        code, log = server.stop()
    assert (set(ready), mode, code) == ({"grpc", "token"}, 0o600, 0)
    assert ready["grpc"].startswith("127.0.0.1:")
    assert not server.ready_file.exists()
    assert [json.loads(line)["message"] for line in log.splitlines()] == ["serving", "stopping", "stopped"]
    assert ready["token"] not in log


def test_the_token_stays_over_restarts_until_it_is_renewed(tmp_path):
    """Ctrl-C is as good a stop as any; the old key goes on until somebody revokes it."""
    told = []
    for options in ((), (), ("--renew-admin-token",), ()):
        with Serving(tmp_path, *options) as server:
            told.append(server.ready["token"])
            assert server.stop(signal.SIGINT)[0] == 0
    assert told[0] == told[1] != told[2] == told[3]
    assert stat.S_IMODE((tmp_path / "data" / "admin-token").stat().st_mode) == 0o600


def test_a_lost_token_is_told_with_the_way_out(tmp_path):
    """It is not made anew by itself: whoever deletes a file must not become an administrator."""
    with Serving(tmp_path) as server:
        assert server.ready["token"]
        server.stop()
    (tmp_path / "data" / "admin-token").unlink()
    with Serving(tmp_path) as server:
        assert server.ready["token"] is None
        code, log = server.stop()
    assert code == 0
    assert "--renew-admin-token" in log


def test_settings_come_from_the_environment_too(tmp_path):
    """LODESTREAM_GRPC as --grpc."""
    with Serving(tmp_path, LODESTREAM_GRPC=f"unix:{tmp_path}/grpc.sock") as server:
        assert server.ready["grpc"] == f"unix:{tmp_path}/grpc.sock"
        assert server.stop()[0] == 0


def test_what_cannot_be_served_is_said_in_a_line(tmp_path):
    """A data directory in use, a port in use, plain text for everybody: exit 1 and the fix. Nonsense: exit 2."""
    with Serving(tmp_path) as first:
        address = first.ready["grpc"]
        second = tmp_path / "second"
        second.mkdir()
        for folder, options, expected, said in (
            (tmp_path, (), 1, "data directory"),
            (second, ("--grpc", address), 1, f"{address} is in use"),
            (second, ("--grpc", "0.0.0.0:0"), 1, "--tls-certificate"),
            (second, ("--grpc", "somewhere"), 2, "--grpc: must be HOST:PORT"),
            (second, ("--seats", "0"), 2, "--seats"),
        ):
            ready = folder / "ready.json"
            before = ready.read_text() if ready.exists() else None
            with Serving(folder, *options) as server:
                code, log = server.end()
            assert code == expected, log
            assert said in log
            assert "Traceback" not in log
            assert len(log.strip().splitlines()) == 1, log
            assert (ready.read_text() if ready.exists() else None) == before


def test_a_ready_file_of_a_killed_server_is_gone_before_the_next_one_is_ready(tmp_path):
    """Whoever waits for the file must not find the old one."""
    with Serving(tmp_path) as server:
        assert server.ready
        server.process.kill()
        server.end()
    assert server.ready_file.exists()
    with Serving(tmp_path, "--grpc", "0.0.0.0:0") as server:
        assert server.end()[0] == 1
    assert not server.ready_file.exists()


async def test_a_refused_address_leaves_no_data_directory(tmp_path):
    """Nothing is opened before it is known where to listen."""
    settings = ServerSettings(data_dir=tmp_path / "data", grpc="0.0.0.0:0")
    with pytest.raises(CannotListen):
        async with running(settings):
            pass
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "[::1]:0", "127.8.9.1:0", "unix:/tmp/x"])
def test_plain_text_is_for_this_machine(address):
    """Loopback in all its forms, and unix sockets."""
    check_address(ServerSettings(grpc=address))


@pytest.mark.parametrize(
    "address", ["0.0.0.0:0", "[::]:0", "192.168.1.1:0", "example.org:0", "127.0.0.1.example.org:0"]
)
def test_plain_text_is_for_nobody_else(address):
    """The message tells both ways out."""
    with pytest.raises(CannotListen, match=r"--tls-certificate FILE and --tls-key FILE, or listen on 127\.0\.0\.1"):
        check_address(ServerSettings(grpc=address))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and a certificate for localhost that signs itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate, and it is not installed")
    folder = tmp_path_factory.mktemp("tls")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(["openssl", *words.split(), *names, *files], check=True, capture_output=True)
    return folder


async def test_tls_serves_those_who_know_the_certificate(tmp_path, certificate):
    """Encrypted for them; plain text and strangers' authorities get nowhere."""
    settings = ServerSettings(
        data_dir=tmp_path / "data",
        grpc="localhost:0",
        seats=1,
        tls_certificate=certificate / "cert.pem",
        tls_key=certificate / "key.pem",
    )
    async with running(settings) as server:
        roots = grpc.ssl_channel_credentials((certificate / "cert.pem").read_bytes())
        async with grpc.aio.secure_channel(server.address, roots) as channel:
            listed = await KeyServiceStub(channel).ListKeys(
                key_pb2.ListKeysRequest(), metadata=signed(server.token or "")
            )
        assert [key.name for key in listed.keys] == ["admin"]
        for channel in (
            grpc.aio.insecure_channel(server.address),
            grpc.aio.secure_channel(server.address, grpc.ssl_channel_credentials()),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await KeyServiceStub(channel).ListKeys(key_pb2.ListKeysRequest(), timeout=5)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            await channel.close()


def test_certificates_that_cannot_be_used_are_named(tmp_path, certificate):
    """A missing one, half a pair, a file that is none."""
    (tmp_path / "nonsense.pem").write_text("nonsense")
    cert, key, none = certificate / "cert.pem", certificate / "key.pem", tmp_path / "none.pem"
    for given, said in (
        ({"tls_certificate": none, "tls_key": key}, "--tls-certificate"),
        ({"tls_certificate": cert}, "--tls-key"),
        ({"tls_certificate": cert, "tls_key": tmp_path / "nonsense.pem"}, "--tls-key"),
    ):
        with pytest.raises(CannotListen, match=said):
            check_address(ServerSettings(grpc="0.0.0.0:0", **given))


async def test_work_in_progress_goes_back_to_the_queue_and_on_at_the_next_start(tmp_path):
    """Stopping the server costs a run nothing but time."""
    gate = tmp_path / "gate"
    async with running_server(tmp_path / "data", catalogue=CATALOGUE, seats=1) as server:
        request = job_pb2.SubmitJobRequest(
            tenant_id=TENANT, project_id=PROJECT, job_name="x", job_type=common_pb2.JOB_TYPE_DATA_ENRICHMENT
        )
        request.parameters.update({"gate": str(gate)})
        stub = JobServiceStub(server.channel)
        job_id = (await stub.SubmitJob(request, metadata=server.metadata)).job_id
        get = job_pb2.GetJobRequest(tenant_id=TENANT, project_id=PROJECT, job_id=job_id)
        stream = stub.WatchJob(job_pb2.WatchJobRequest(request=get, replay=True), metadata=server.metadata)
        async for frame in stream:
            if any(event.phase_started.phase == "Wait" for event in frame.events.events):
                break
        stream.cancel()
    gate.touch()
    async with running_server(tmp_path / "data", catalogue=CATALOGUE, seats=1) as server:
        stub = JobServiceStub(server.channel)
        frames = [
            frame async for frame in stub.WatchJob(job_pb2.WatchJobRequest(request=get), metadata=server.metadata)
        ]
        shown = await stub.GetJob(get, metadata=server.metadata)
    assert frames[-1].done.state == common_pb2.RUN_STATE_COMPLETED
    assert shown.attempt == 1
