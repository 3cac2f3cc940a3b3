"""Traces for OpenTelemetry: a span per call, within the caller's own trace when it sends one (`traceparent`).

The SDK and its OTLP exporter come with the extra `observability`, and are imported when somebody wants traces.
"""

from typing import TYPE_CHECKING, Any

from lodestream_server.grpc_door.call import Trail
from lodestream_server.observing.calls import code_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span


class Traces:
    """An observer of calls. Spans hold ids and outcomes, nothing that was sent."""

    def __init__(self, endpoint: str, exporter: "SpanExporter | None" = None) -> None:
        """Sends spans to the OTLP collector at `endpoint` (scheme, host, port). Raises ImportError without the SDK."""
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        if exporter is None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")
        # Ours alone: a host's own provider is not replaced, and nothing is traced that did not ask for it.
        self._provider = TracerProvider(resource=Resource.create({"service.name": "lodestream"}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("lodestream")
        self._kind = SpanKind.SERVER
        self._carried = TraceContextTextMapPropagator().extract
        self._spans: dict[int, Span] = {}

    def begins(self, trail: Trail, metadata: Any) -> None:
        """See `Observer`."""
        texts = {name: value for name, value in metadata or () if isinstance(value, str)}
        span = self._tracer.start_span(trail.method, context=self._carried(texts), kind=self._kind)
        self._spans[id(trail)] = span

    def ends(self, trail: Trail, seconds: float) -> None:
        """See `Observer`."""
        if (span := self._spans.pop(id(trail), None)) is None:
            return
        service, _, method = trail.method.partition("/")
        told = {
            "rpc.system": "grpc",
            "rpc.service": service,
            "rpc.method": method,
            "rpc.grpc.status": code_of(trail),
            "lodestream.reason": trail.reason,
            "lodestream.request_id": trail.request_id,
            "lodestream.run_id": trail.run_id,
            "lodestream.tenant_id": trail.tenant_id,
        }
        span.set_attributes({name: value for name, value in told.items() if value})
        span.end()

    def close(self) -> None:
        """Sends what waits; takes as long as the collector lets it, some seconds at most."""
        self._provider.shutdown()
