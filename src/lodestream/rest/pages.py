"""The addresses beside the contract: health, the document, and pages that show it without any network."""

import importlib.util
from pathlib import Path
from typing import Final

import orjson
from grpc import StatusCode, aio
from starlette.types import ASGIApp, Receive, Scope, Send

from lodestream.rest.answers import Answer, revalidated
from lodestream.rest.problems import Refusal

_HEALTH: Final = "/grpc.health.v1.Health/Check"
# HealthCheckResponse{status: SERVING}: field 1, varint 1.
_SERVING: Final = b"\x08\x01"
#: A probe that takes longer is as good as a refusal: orchestrators wait a second by default.
_PROBE_TIMEOUT_S: Final = 1.0
_MEDIA_TYPES: Final = {".css": b"text/css", ".js": b"text/javascript", ".png": b"image/png"}
_POLICY = (
    b"content-security-policy",
    b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
)
_DOCS = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Lodestream API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
# A file of its own, so that the policy above needs no exception for scripts inside the page.
_START = b'SwaggerUIBundle({url: "/openapi.yaml", dom_id: "#swagger-ui", deepLinking: true});\n'


class Pages:
    """Answers the addresses of its own and passes everything else on."""

    def __init__(self, app: ASGIApp, document: bytes, channel: aio.Channel) -> None:
        self._app = app
        self._health: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_HEALTH)
        self._files = {f"/docs/{file.name}": file for file in swagger_ui()}
        self._fixed = {
            "/openapi.yaml": (document, b"application/yaml; charset=utf-8"),
            "/docs": (_DOCS, b"text/html; charset=utf-8"),
            "/docs/": (_DOCS, b"text/html; charset=utf-8"),
            "/docs/start.js": (_START, b"text/javascript; charset=utf-8"),
            "/healthz": (b'{"status":"ok"}', b"application/json"),
        }
        self._known = {"/readyz", *self._fixed, *self._files}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers GET and HEAD. Raises Refusal for other methods."""
        path = scope["path"]
        if scope["type"] != "http" or path not in self._known:
            await self._app(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            raise Refusal("METHOD_NOT_ALLOWED", "Allowed here: GET, HEAD.", headers=[(b"allow", b"GET, HEAD")])
        answer = await self._ready() if path == "/readyz" else self._page(path)
        wanted = scope["lodestream.headers"].get(b"if-none-match")
        await (answer if path.endswith("z") else revalidated(answer, wanted))(scope, receive, send)

    def _page(self, path: str) -> Answer:
        if path in self._fixed:
            body, media_type = self._fixed[path]
        else:
            body, media_type = self._files[path].read_bytes(), _MEDIA_TYPES[self._files[path].suffix]
        return Answer(200, body, media_type, [_POLICY] if path.startswith("/docs") else [])

    async def _ready(self) -> Answer:
        """200 while the server behind the channel says that it serves, or answers without a health service."""
        try:
            answer = await self._health(b"", timeout=_PROBE_TIMEOUT_S)
            serving = answer[:2] == _SERVING
        except aio.AioRpcError as error:
            serving = error.code() == StatusCode.UNIMPLEMENTED
        said = {"status": "ready" if serving else "not ready"}
        return Answer(200 if serving else 503, orjson.dumps(said), headers=[(b"cache-control", b"no-store")])


def swagger_ui() -> list[Path]:
    """The files of the bundled Swagger UI that its page asks for."""
    found = importlib.util.find_spec("swagger_ui_bundle")
    folder = Path(found.submodule_search_locations[0]) if found and found.submodule_search_locations else None
    return [file for file in folder.rglob("*") if file.suffix in _MEDIA_TYPES] if folder else []
