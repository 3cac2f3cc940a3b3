"""A `grpc.aio.Channel` to servicers in this process, which is also the server that they register with.

    channel = LocalChannel(interceptors=[authentication])
    add_JobServiceServicer_to_server(Jobs(), channel)
    answer = await JobServiceStub(channel).GetJob(request, timeout=5)

Messages cross as bytes, through the stub's and the handler's own (de)serialisers, so neither side ever sees what the
other does to its copy. Interceptors, metadata, deadlines, statuses, limits, cancellation and back-pressure behave as
over the network; `tests/contract` states each once and runs it over both. The REST facade calls the servers through
it, and whoever wants a server in a test without a port.

What differs, on purpose:

- a stream that the caller drops is cancelled at once (grpc.aio leaves it running until the channel closes);
- a client stream that breaks off raises in the servicer; over the network its iterator may just end, as if complete;
- a servicer is at most two frames ahead of a stream's reader, whatever their size;
- metadata and messages that cannot be sent raise when the call is made, not when it is awaited;
- an answer that cannot be decoded raises (grpc.aio logs the error and gives None);
- `abort(OK)` and a CancelledError of the servicer's own end the call (grpc.aio leaves the caller waiting);
- servicers are async: a synchronous method runs on the loop, so it must not block, and cannot abort;
- there is no user-agent, the peer is `local:`, compression is ignored, and there are no client interceptors.
"""

from lodestream.local_channel.channel import MAX_MESSAGE_BYTES, LocalChannel
from lodestream.local_channel.metadata import BadMetadata

__all__ = ["MAX_MESSAGE_BYTES", "BadMetadata", "LocalChannel"]
