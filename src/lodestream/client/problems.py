"""What only a client can run into: settings that do not work, no server at the other end, a deadline that passed.

Everything that a server refuses arrives as the class of `lodestream.errors` that the server raised. No grpc here.
"""

from lodestream.errors import LodestreamError


class BadSetting(LodestreamError):
    """A setting of the client cannot be used."""

    reason = "BAD_SETTING"


class ServerUnreachable(LodestreamError):
    """No Lodestream server answers."""

    reason = "SERVER_UNREACHABLE"


class DeadlinePassed(LodestreamError):
    """The server did not answer in time."""

    reason = "DEADLINE_PASSED"


class CallRefused(LodestreamError):
    """The server refused the call without a reason of Lodestream; it may be another kind of server."""

    reason = "CALL_REFUSED"


class BrokenStream(LodestreamError):
    """The stream lost events and could not be mended by resuming; this is a fault of the server."""

    reason = "BROKEN_STREAM"


class BrokenDownload(LodestreamError):
    """The downloaded file does not have the size and checksum that the server names; it was not kept."""

    reason = "BROKEN_DOWNLOAD"
