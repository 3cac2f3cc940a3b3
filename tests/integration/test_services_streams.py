"""Streams of a real server over time: watchers that come back, age, servers going down, slow readers, many readers."""

import asyncio
import random
from typing import Any

import grpc
import pytest
from lodestream_server.runs.bodies import Logged
from lodestream_server.services.watching import LARGEST_FRAME
from lodestream_server.store.appending import Fact
from lodestream_server.store.reading import Scope

from lodestream.v1 import common_pb2, job_pb2, queue_pb2
from lodestream.v1.job_pb2_grpc import JobServiceStub
from lodestream.v1.queue_pb2_grpc import QueueServiceStub
from tests.contract.workloads import CATALOGUE
from tests.support.server import PROJECT, TENANT, running_server

SCOPE: dict[str, Any] = {"tenant_id": TENANT, "project_id": PROJECT}


class Watched:
    """A job on a server, and its streams."""

    def __init__(self, server, job_id):
        self.server = server
        self.job_id = job_id
        self.stub = JobServiceStub(server.channel)

    @classmethod
    async def start(cls, server, job_type=common_pb2.JOB_TYPE_PROCESS_MINING, **parameters):
        """A new job."""
        request = job_pb2.SubmitJobRequest(**SCOPE, job_name="x", job_type=job_type)
        request.parameters.update(parameters)
        answer = await JobServiceStub(server.channel).SubmitJob(request, metadata=server.metadata)
        return cls(server, answer.job_id)

    def frames(self, token="", *, replay=False):
        """A stream of the job."""
        request = job_pb2.WatchJobRequest(
            request=job_pb2.GetJobRequest(**SCOPE, job_id=self.job_id), resume_token=token, replay=replay
        )
        return self.stub.WatchJob(request, metadata=self.server.metadata)

    async def at_work(self):
        """Waits until the job waits for its gate."""
        token = ""
        while True:  # a stream may end of age before
            stream = self.frames(token, replay=True)
            async for frame in stream:
                token = frame.resume_token
                if any(event.phase_started.phase == "Wait" for event in frame.events.events):
                    stream.cancel()
                    return self

    async def log_lines(self, count, text="x"):
        """Appends lines to the job's log, as its worker would."""
        engine = self.server.engine
        facts = [Fact(Logged("INFO", text), engine.clock.now()) for _ in range(count)]
        await engine._store.append(self.job_id, facts)


def sequences(frames):
    """The numbers of all events in the frames."""
    return [event.sequence for frame in frames for event in frame.events.events]


@pytest.fixture
def gate(tmp_path):
    """Opens for waiting jobs when it exists."""
    return tmp_path / "gate"


def waiting(server, gate):
    """A job that waits for the gate."""
    return Watched.start(server, common_pb2.JOB_TYPE_DATA_ENRICHMENT, gate=str(gate))


async def test_a_watcher_that_breaks_off_a_hundred_times_misses_nothing(tmp_path):
    """No gap, no repeat, one end."""
    chance = random.Random(7)
    async with running_server(tmp_path / "data", catalogue=CATALOGUE) as server:
        job = await Watched.start(server, records=400)
        seen: list[Any] = []
        token, breaks, ended = "", 0, 0
        while not ended:
            stream = job.frames(token, replay=True)
            async for frame in stream:
                token, seen, ended = frame.resume_token, [*seen, frame], ended + frame.HasField("done")
                if breaks < 100 and chance.random() < 0.7:
                    breaks += 1
                    break
            stream.cancel()
        whole = [frame async for frame in job.frames(replay=True)]
    assert sequences(seen) == sequences(whole) == list(range(1, len(sequences(whole)) + 1))
    assert ended == 1


async def test_a_stream_that_is_told_to_end_goes_on_at_the_next_server(tmp_path, gate):
    """A server going down ends it without done; the token is good at the server that comes after it."""
    async with running_server(tmp_path / "data", catalogue=CATALOGUE, seats=1) as server:
        job = await (await waiting(server, gate)).at_work()
        own = grpc.aio.insecure_channel(server.address)
        job.stub = JobServiceStub(own)
        stream = job.frames(replay=True)
        before = [await stream.read()]
    while (frame := await stream.read()) is not grpc.aio.EOF:
        before.append(frame)
    assert await stream.code() is grpc.StatusCode.OK
    await own.close()
    assert not any(frame.HasField("done") for frame in before)
    gate.touch()
    async with running_server(tmp_path / "data", catalogue=CATALOGUE, seats=1) as server:
        again = Watched(server, job.job_id)
        after = [frame async for frame in again.frames(before[-1].resume_token)]
        whole = [frame async for frame in again.frames(replay=True)]
    assert sequences(before) + sequences(after) == sequences(whole)
    assert after[-1].done.state == common_pb2.RUN_STATE_COMPLETED


async def _to_the_end(stream):
    return [frame async for frame in stream]


async def test_a_token_of_another_store_starts_over(tmp_path):
    """The same run's id in another data directory would be another run."""
    async with running_server(tmp_path / "one", catalogue=CATALOGUE, seats=1) as server:
        job = await Watched.start(server)
        token = [frame async for frame in job.frames()][-1].resume_token
    async with running_server(tmp_path / "two", catalogue=CATALOGUE, seats=1) as server:
        job = await Watched.start(server)
        frames = [frame async for frame in job.frames(token)]
    assert frames[0].reset.reason == "OTHER_STORE"
    assert frames[1].HasField("snapshot")


async def test_old_streams_end_without_done_and_lose_nothing(tmp_path, gate):
    """So that a reader who vanished does not hold one for ever; the others come back."""
    aged: dict[str, Any] = {"stream_age_s": 0.2, "bookmark_s": 0.1}
    async with running_server(tmp_path / "data", catalogue=CATALOGUE, seats=1, **aged) as server:
        job = await (await waiting(server, gate)).at_work()
        frames = [frame async for frame in job.frames()]
        assert not frames[-1].HasField("done")
        gate.touch()
        while not frames[-1].HasField("done"):
            frames += [frame async for frame in job.frames(frames[-1].resume_token)]
        whole = [frame async for frame in job.frames(replay=True)]
    after = sequences(frames)
    assert after == sequences(whole)[-len(after) :]


async def test_a_slow_reader_gets_what_waits_at_once_and_costs_others_nothing(tmp_path, gate):
    """While one reader sleeps, another hears everything; then the sleeper gets it in few frames."""
    async with running_server(tmp_path / "data", catalogue=CATALOGUE, seats=1) as server:
        job = await (await waiting(server, gate)).at_work()
        slow, quick = job.frames(), job.frames()
        assert (await slow.read()).HasField("snapshot")
        assert (await quick.read()).HasField("snapshot")
        for _ in range(20):
            await job.log_lines(50)
        heard = 0
        while heard < 1000:
            heard += sum(event.HasField("logged") for event in (await quick.read()).events.events)
        frames, caught_up = [], 0
        while caught_up < 1000:
            frames.append(await slow.read())
            caught_up += sum(event.HasField("logged") for event in frames[-1].events.events)
        assert sequences(frames) == list(range(sequences(frames)[0], sequences(frames)[0] + len(sequences(frames))))
        assert len(frames) <= 30
        slow.cancel()
        quick.cancel()


async def test_frames_stay_below_what_readers_take_by_default(tmp_path, gate):
    """4 MiB is the limit of most libraries; large news come in several frames."""
    async with running_server(tmp_path / "data", catalogue=CATALOGUE, seats=1) as server:
        job = await (await waiting(server, gate)).at_work()
        await job.log_lines(100, "y" * 100_000)
        gate.touch()
        frames = [frame async for frame in job.frames(replay=True)]
    assert max(frame.ByteSize() for frame in frames) < LARGEST_FRAME + 200_000
    assert sequences(frames) == list(range(1, len(sequences(frames)) + 1))
    assert sum(event.HasField("logged") for frame in frames for event in frame.events.events) >= 100


async def test_watchers_of_one_run_all_hear_the_same(tmp_path, gate):
    """Three hundred of them, each every event once."""
    async with running_server(tmp_path / "data", catalogue=CATALOGUE, seats=1) as server:
        job = await (await waiting(server, gate)).at_work()
        streams = [job.frames(replay=True) for _ in range(300)]
        heard = asyncio.gather(*(_to_the_end(stream) for stream in streams))
        for _ in range(5):
            await job.log_lines(3)
        gate.touch()
        told = [sequences(frames) for frames in await heard]
    assert set(map(tuple, told)) == {tuple(range(1, len(told[0]) + 1))}
    assert len(server.running.streams) == 0


async def test_the_queue_is_watched_as_it_moves(tmp_path, gate):
    """Each frame replaces the one before; the stream goes on until the reader has enough."""
    async with running_server(tmp_path / "data", catalogue=CATALOGUE, seats=1) as server:
        await (await waiting(server, gate)).at_work()
        request = queue_pb2.WatchQueueRequest(request=queue_pb2.GetQueueRequest(**SCOPE))
        stream: Any = QueueServiceStub(server.channel).WatchQueue(request, metadata=server.metadata)
        assert not (await stream.read()).snapshot.queued_jobs
        await Watched.start(server)
        lengths: list[int] = []
        while not lengths or lengths[-1] != 1:
            lengths.append(len((await stream.read()).snapshot.queued_jobs))
        gate.touch()
        while lengths[-1] != 0:
            lengths.append(len((await stream.read()).snapshot.queued_jobs))
        stream.cancel()


async def test_the_queue_shows_a_pause_at_once_and_its_end(tmp_path):
    """Nothing else happens: only the pause and the resumption wake the watcher, and one who comes back sees it too."""
    async with running_server(tmp_path / "data", catalogue=CATALOGUE, seats=1, bookmark_s=15.0) as server:
        request = queue_pb2.WatchQueueRequest(request=queue_pb2.GetQueueRequest(**SCOPE))
        stub: Any = QueueServiceStub(server.channel)
        stream = stub.WatchQueue(request, metadata=server.metadata)
        first = await stream.read()
        assert first.snapshot.queue_status == queue_pb2.QUEUE_STATUS_ACTIVE
        scope = Scope(SCOPE["tenant_id"], SCOPE["project_id"])
        await server.engine.desk.pause(Scope(SCOPE["tenant_id"], "other"))
        await server.engine.desk.pause(scope)
        assert (await stream.read()).snapshot.queue_status == queue_pb2.QUEUE_STATUS_PAUSED
        request.resume_token = first.resume_token
        again = stub.WatchQueue(request, metadata=server.metadata)
        assert (await again.read()).snapshot.queue_status == queue_pb2.QUEUE_STATUS_PAUSED
        await server.engine.desk.resume(scope)
        for each in (stream, again):
            assert (await each.read()).snapshot.queue_status == queue_pb2.QUEUE_STATUS_ACTIVE
            each.cancel()


async def test_a_dropped_watcher_leaves_nothing_behind(tmp_path, gate):
    """Cancelling the call ends the server's side of the stream."""
    async with running_server(tmp_path / "data", catalogue=CATALOGUE, seats=1) as server:
        job = await (await waiting(server, gate)).at_work()
        stream = job.frames()
        await stream.read()
        streams = server.running.streams
        assert len(streams) == 1
        (task,) = streams._tasks
        stream.cancel()
        await asyncio.wait({task}, timeout=10)
        assert len(streams) == 0
        gate.touch()
