"""Settings of the server, typed and with their units: from flags, then LODESTREAM_* variables, then the defaults here.

Read once by the command line and handed to `app.serve`; nothing else looks at the environment.
"""

from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from lodestream_server.delivery.fields import DeliveryFields
from lodestream_server.engine.keeping import Keep, Policy
from lodestream_server.engine.models import EngineSettings
from lodestream_server.engine.opening import seats_of_this_machine
from lodestream_server.grpc_door.limits import Allowance
from lodestream_server.store.quotas import NO_QUOTAS, Quotas

_MIB: Final = 1024 * 1024


class ServerSettings(DeliveryFields):
    """How a server is set up. Sizes are bytes, times seconds; each field is also LODESTREAM_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="LODESTREAM_", extra="ignore", frozen=True)

    #: Everything the server keeps; made when it is not there.
    data_dir: Path = Path("data")
    #: HOST:PORT of the gRPC door; port 0 takes a free one. Also unix:/path.
    grpc: str = "127.0.0.1:50051"
    #: HOST:PORT of the REST door; none without it.
    rest: str | None = None
    #: Names, separated by commas, that the REST door answers for besides localhost and bare addresses; "*" for any.
    rest_hosts: str = ""
    #: Web origins, separated by commas, that may call the REST door from a browser.
    rest_origins: str = ""
    #: Scheme and host in download links, where a proxy stands in front.
    rest_public_url: str = ""
    #: How long download links are good.
    rest_link_s: float = Field(default=3600.0, gt=0)
    #: JSON web tokens beside API keys: who issues them for whom, and the address or file of public keys, or a file with
    #: the shared key.
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    jwt_jwks: str | None = None
    jwt_key: Path | None = None
    #: PEM files; without them only loopback addresses are served.
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    #: PEM file of authorities; with it only callers with a certificate of theirs are let in.
    tls_client_ca: Path | None = None
    #: Makes a new administrator key, for when the first one is lost.
    renew_admin_token: bool = False
    #: Who may read the schema by reflection. It is public; "key" and "off" are for those who like it quiet.
    reflection: Literal["open", "key", "off"] = "open"

    #: Notebook jobs. A notebook is arbitrary code with the rights of the server's user.
    notebooks: bool = False
    #: Runs at work at once.
    seats: int = Field(default_factory=seats_of_this_machine, ge=1, le=256)
    #: Memory of a run that does not say; 0: the machine's, shared between the seats.
    run_memory_bytes: int = Field(default=0, ge=0)
    #: Processor cores and memory that all runs may ask for together; 0: the machine's. What does not fit waits.
    cpu_units: float = Field(default=0, ge=0)
    memory_bytes: int = Field(default=0, ge=0)
    #: How long a run may wait in the queue before it times out. None: as long as it takes.
    queue_limit_s: float | None = Field(default=None, gt=0)
    largest_upload_bytes: int = Field(default=20 * 10**9, ge=1)
    #: From the flag to SIGKILL when a run is cancelled.
    cancel_grace_s: float = Field(default=5.0, ge=0)
    #: Silence after which a worker counts as hung.
    lease_s: float = Field(default=15.0, gt=0)
    #: How long running work may go on once the server is asked to stop; the rest goes back to the queue.
    drain_s: float = Field(default=10.0, ge=0)
    #: Name of this machine in answers.
    node: str = "worker-node"
    #: US dollars; without both there are no costs in answers.
    price_cpu_hour: float | None = Field(default=None, ge=0)
    price_gb_hour: float | None = Field(default=None, ge=0)

    #: Longest silence of a stream.
    bookmark_s: float = Field(default=15.0, gt=0, le=15.0)
    #: Streams end at about this age (up to a tenth earlier) and are taken up again by their readers: a stream whose
    #: reader vanished without a word would otherwise stay for ever.
    stream_age_s: float = Field(default=1800.0, gt=0)
    largest_message_bytes: int = Field(default=64 * _MIB, ge=_MIB)
    #: Calls under way on one connection; further ones wait on the caller's side.
    streams_per_connection: int = Field(default=10_000, ge=1)
    #: Calls that have arrived and are not yet taken up. grpc.aio answers CANCELLED beyond 1,000 unless told otherwise.
    pending_calls: int = Field(default=100_000, ge=1)
    keepalive_s: float = Field(default=30.0, ge=1)
    keepalive_timeout_s: float = Field(default=10.0, ge=1)

    #: What one API key, and one tenant with all its keys, may do; 0: as much as it likes. Meant to stop a program that
    #: has gone wild, not one that is busy.
    key_calls_per_second: int = Field(default=5_000, ge=0)
    key_calls_per_minute: int = Field(default=120_000, ge=0)
    key_streams: int = Field(default=10_000, ge=0)
    tenant_calls_per_second: int = Field(default=10_000, ge=0)
    tenant_calls_per_minute: int = Field(default=300_000, ge=0)
    tenant_streams: int = Field(default=20_000, ge=0)
    #: Runs of a tenant that wait, whatever for, and what its datasets and resources may take together.
    tenant_waiting_runs: int = Field(default=100_000, ge=0)
    tenant_dataset_bytes: int = Field(default=10**12, ge=0)
    #: False: none of these limits.
    limits: bool = True

    #: Port on 127.0.0.1 where Prometheus reads figures, at /metrics; 0 takes a free one, none without it.
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    #: Address of an OpenTelemetry collector (OTLP over HTTP), such as http://127.0.0.1:4318, that gets a span per call.
    traces: str | None = None
    #: Days after which what is over goes: events told along the way and artifacts since the end of their run, datasets
    #: since they came, attempts of deliveries and ids of requests since they were made. None: never.
    keep_events_days: float | None = Field(default=None, ge=0)
    keep_artifacts_days: float | None = Field(default=None, ge=0)
    keep_datasets_days: float | None = Field(default=None, ge=0)
    keep_attempts_days: float | None = Field(default=None, ge=0)
    keep_requests_days: float | None = Field(default=None, ge=1)
    #: Bytes that one tenant's events along the way, artifacts and datasets may take before the oldest go. None: any
    #: number.
    keep_events_bytes: int | None = Field(default=None, ge=0)
    keep_artifacts_bytes: int | None = Field(default=None, ge=0)
    keep_datasets_bytes: int | None = Field(default=None, ge=0)
    #: Tenants with rules of their own: {"<tenant>": {"events_days": 7, "datasets_bytes": 1000000000}} as JSON.
    keep_tenants: dict[str, Keep] = Field(default_factory=dict)
    #: How often it is looked for.
    keep_every_s: float = Field(default=3600.0, gt=0)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("grpc")
    @classmethod
    def _address(cls, value: str) -> str:
        if value.startswith("unix:"):
            return value
        host, colon, port = value.rpartition(":")
        if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
            raise ValueError("must be HOST:PORT, such as 127.0.0.1:50051; port 0 takes a free one")
        return value

    @field_validator("traces")
    @classmethod
    def _collector(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "http://none")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be the address of a collector, such as http://127.0.0.1:4318")
        return value

    @staticmethod
    def names_of(text: str) -> list[str]:
        """The names in a text that separates them by commas."""
        return [name.strip() for name in text.split(",") if name.strip()]

    def allowances(self) -> tuple[Allowance, Allowance]:
        """What a key may do, and what a tenant."""
        if not self.limits:
            return Allowance(), Allowance()
        return (
            Allowance(self.key_calls_per_second, self.key_calls_per_minute, self.key_streams),
            Allowance(self.tenant_calls_per_second, self.tenant_calls_per_minute, self.tenant_streams),
        )

    def retention(self) -> Policy:
        """What is kept for how long."""
        default = Keep(
            self.keep_events_days,
            self.keep_events_bytes,
            self.keep_artifacts_days,
            self.keep_artifacts_bytes,
            self.keep_datasets_days,
            self.keep_datasets_bytes,
        )
        own = {tenant.lower(): keep for tenant, keep in self.keep_tenants.items()}
        return Policy(default, own, self.keep_attempts_days, self.keep_requests_days, self.keep_every_s)

    def engine(self) -> EngineSettings:
        """The part that the engine reads."""
        return EngineSettings(
            seats=self.seats,
            run_memory_bytes=self.run_memory_bytes,
            cpu_units=self.cpu_units,
            memory_bytes=self.memory_bytes,
            queue_limit_s=self.queue_limit_s,
            largest_upload_bytes=self.largest_upload_bytes,
            quotas=Quotas(self.tenant_waiting_runs, self.tenant_dataset_bytes) if self.limits else NO_QUOTAS,
            retention=self.retention(),
            grace_s=self.cancel_grace_s,
            lease_s=self.lease_s,
            node=self.node,
            price_cpu_hour=self.price_cpu_hour,
            price_gb_hour=self.price_gb_hour,
        )
