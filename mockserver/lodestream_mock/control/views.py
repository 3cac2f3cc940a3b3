"""Sessions, faults, calls and deliveries as the control service shows them."""

from lodestream_mock.delivery.courier import Delivery
from lodestream_mock.play import typed
from lodestream_mock.session.faults import Fault
from lodestream_mock.session.journal import Entry
from lodestream_mock.session.session import Session
from lodestream_mock.v1 import control_pb2 as control


def session_view(session: Session) -> control.Session:
    """A session as it is now."""
    return control.Session(
        session=session.key,
        scenario=session.settings.scenario,
        clock=session.clock.mode,
        language=session.settings.language,
        seed=session.settings.seed,
        elapsed=typed.duration(session.now_ms),
        now=typed.instant(session.epoch_ms),
        calls=session.journal.count,
    )


def fault_view(fault: Fault) -> control.Fault:
    """A fault, with how often it has fired."""
    return control.Fault(
        fault_id=fault.fault_id,
        method=fault.method,
        kind=fault.kind,
        code=fault.code or None,
        reason=fault.reason or None,
        message=fault.message or None,
        after_messages=fault.after_messages or None,
        delay=typed.duration(fault.delay_ms) if fault.delay_ms else None,
        times=fault.times,
        fired=fault.fired,
    )


def entry_view(entry: Entry) -> control.JournalEntry:
    """A call."""
    return control.JournalEntry(
        number=entry.number,
        at=typed.duration(entry.at_ms),
        door=entry.door,
        method=entry.method,
        language=entry.language or None,
        request=typed.struct(entry.request),
        metadata=entry.metadata,
        code=entry.code,
        reason=entry.reason or None,
        example=entry.example or None,
        provenance=entry.provenance or None,
        fault_id=entry.fault or None,
        frames=entry.frames,
        explained=entry.explained,
    )


def post_view(delivery: Delivery) -> control.Post:
    """A delivery."""
    out = control.Post(
        delivery_id=delivery.delivery_id,
        endpoint=delivery.endpoint.endpoint_id,
        url=delivery.endpoint.url,
        event=delivery.event,
        run_id=delivery.run_id,
        created=typed.duration(delivery.created_at),
        success=delivery.success,
        next_attempt=typed.duration(delivery.next_at) if delivery.next_at is not None else None,
    )
    for attempt in delivery.attempts:
        out.attempts.add(
            at=typed.duration(attempt.at), status_code=attempt.outcome.status, error=attempt.outcome.error or None
        )
    return out
