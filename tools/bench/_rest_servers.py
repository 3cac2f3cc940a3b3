"""The contenders of the REST bench, a process each: `python -m tools.bench._rest_servers NAME` prints its port.

All answer with the same bytes, through the same uvicorn on the same loop:
- bare: Starlette, one route, a constant;
- connexion: a handler on connexion's default stack that returns a constant, with the one operation in its document;
- facade: our whole path, connexion, LocalChannel, servicer, transcoder, with all operations in the document;
- network: the same, with a gRPC server on a loopback socket instead of the LocalChannel.
"""

import asyncio
import sys
import warnings
from collections.abc import Callable
from typing import Any

from grpc import aio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lodestream import documented
from lodestream.local_channel import LocalChannel
from lodestream.rest.app import Facade
from lodestream.rest.document import parsed
from lodestream.rest.serving import RestServer, settle
from lodestream.v1 import operation_pb2, operation_pb2_grpc
from lodestream.wire import from_json, to_json

CONTENDERS = ("bare", "connexion", "facade", "network")
PATH = "/api/{tenantId}/{projectId}/async/operation/{operationId}"
GET = from_json(documented.example_bytes("get-operation.response"), operation_pb2.GetOperationResponse)
START = from_json(documented.example_bytes("start-operation.response"), operation_pb2.StartOperationResponse)


class Operations(operation_pb2_grpc.OperationServiceServicer):
    """Answers with the documented examples."""

    async def GetOperation(self, request: Any, context: Any) -> Any:  # noqa: N802  # gRPC methods are CamelCase
        """Always the same operation."""
        return GET

    async def StartOperation(self, request: Any, context: Any) -> Any:  # noqa: N802  # gRPC methods are CamelCase
        """Always the same receipt."""
        return START


def bare() -> Any:
    """Starlette with a constant for both requests."""
    got, started = to_json(GET), to_json(START)

    async def get(request: Request) -> Response:
        return Response(got, media_type="application/json")

    async def post(request: Request) -> Response:
        await request.body()
        return Response(started, media_type="application/json")

    return Starlette(routes=[Route(PATH, get), Route(PATH.removesuffix("/{operationId}"), post, methods=["POST"])])


def connexion() -> Any:
    """connexion as it comes, its document cut down to the two operations: the constant needs no more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from connexion import AsyncApp
        from connexion.resolver import Resolver
    got, started = to_json(GET), to_json(START)

    async def get(**_: Any) -> Any:
        return Response(got, media_type="application/json")

    async def post(**_: Any) -> Any:
        return Response(started, media_type="application/json")

    start = PATH.removesuffix("/{operationId}")
    paths = {PATH: {"get": parsed()["paths"][PATH]["get"]}, start: {"post": parsed()["paths"][start]["post"]}}
    document = {**parsed(), "paths": paths}
    document.pop("security")
    app = AsyncApp("bench")
    known: dict[str, Callable[..., Any]] = {"GetOperation": get, "StartOperation": post}
    app.add_api(document, resolver=Resolver(known.__getitem__))
    return app


def facade() -> Any:
    """The facade over a LocalChannel."""
    channel = LocalChannel()
    operation_pb2_grpc.add_OperationServiceServicer_to_server(Operations(), channel)
    return Facade(channel)


async def main(name: str) -> None:
    """Serves one contender until its standard input ends."""
    server = aio.server()
    match name:
        case "bare":
            app = bare()
        case "connexion":
            app = connexion()
        case "facade":
            app = facade()
        case _:
            operation_pb2_grpc.add_OperationServiceServicer_to_server(Operations(), server)
            port = server.add_insecure_port("127.0.0.1:0")
            app = Facade(aio.insecure_channel(f"127.0.0.1:{port}"))
    await server.start()
    rest = RestServer(app, "127.0.0.1:0")
    print((await rest.start()).rpartition(":")[2], flush=True)
    settle()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
