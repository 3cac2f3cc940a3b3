"""What a waiting run waits for, in words. Pure: the desk gathers what there is to know and asks here."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lodestream_server.engine.models import Explanation, WaitReason
from lodestream_server.engine.queue import AGEING_S, Capacity, Waiting
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State

#: Takes a moment, or for as long as there is no room for it.
_INPUT = WaitReason("DEPENDENCY", "What the runs before it left is being made its input.")


@dataclass(frozen=True, slots=True)
class Around:
    """What there is around a queued run: those before it, what is free, whether its queue is paused and why."""

    ahead: Sequence[Waiting] = ()
    free: Capacity = field(default_factory=lambda: Capacity(0))
    paused: bool = False
    pause_reason: str = ""


def explain(run: RunState, around: Around, prerequisites: Sequence[RunState] = ()) -> Explanation:
    """Every reason that holds now; none for a run that does not wait."""
    match run.state:
        case State.BLOCKED:
            reasons = [_dependency(one) for one in prerequisites if one.state is not State.COMPLETED] or [_INPUT]
        case State.SCHEDULED:
            reasons = [_until(run, "SCHEDULED_TIME", "It is scheduled for", run.scheduled_at)]
        case State.RETRY_WAIT:
            reasons = [_until(run, "RETRY_DELAY", "The next attempt begins at", run.retry_at)]
        case State.QUEUED:
            reasons = _queued(run, around)
        case _:
            state = run.state.value.lower().replace("_", " ")
            return Explanation(run, f"The {run.kind.value} is {state}; it does not wait.")
    sentence = " ".join(reason.message for reason in reasons) or f"The {run.kind.value} is about to start."
    return Explanation(run, sentence, tuple(reasons))


def _dependency(one: RunState) -> WaitReason:
    return WaitReason("DEPENDENCY", f"It needs {one.name}, which is {one.state.value.lower()}.", one.run_id)


def _until(run: RunState, reason: str, text: str, when: object) -> WaitReason:
    shown = f"{when:%Y-%m-%dT%H:%M:%SZ}" if when else ""
    return WaitReason(reason, f"{text} {shown}.", shown)


def _queued(run: RunState, around: Around) -> list[WaitReason]:
    reasons = []
    if around.paused:
        why = f" ({around.pause_reason})" if around.pause_reason else ""
        reasons.append(WaitReason("QUEUE_PAUSED", f"The queue of the project is paused{why}.", run.project_id))
    if around.ahead:
        reasons.append(_ahead(run, around.ahead))
        if any(_passes_by_fairness(run, one) for one in around.ahead):
            text = "Runs of tenants that used less of the machine lately go first."
            reasons.append(WaitReason("FAIR_SHARE", text))
    if around.free.seats <= 0:
        # What busy workers have of memory and processors comes free with them.
        return [*reasons, WaitReason("NO_FREE_WORKER", "All workers are busy.")]
    asked, free = run.resources, around.free
    if asked.memory_bytes > free.memory_bytes:
        text = f"It asks for {asked.memory_bytes / 1e9:.1f} GB of memory; {free.memory_bytes / 1e9:.1f} GB are free."
        reasons.append(WaitReason("NOT_ENOUGH_MEMORY", text))
    if asked.cpu_units > free.cpu_units + 0.001:
        text = f"It asks for {asked.cpu_units:g} CPU units; {max(0.0, free.cpu_units):g} are free."
        reasons.append(WaitReason("NO_FREE_WORKER", text, "cpuUnits"))
    return reasons


def _ahead(run: RunState, ahead: Sequence[Waiting]) -> WaitReason:
    # Runs of other projects are counted, never named.
    mine = [one.run_id for one in ahead if (one.tenant_id, one.project_id) == (run.tenant_id, run.project_id)]
    many = "1 run is" if len(ahead) == 1 else f"{len(ahead)} runs are"
    return WaitReason("EARLIER_IN_QUEUE", f"{many} before it in the queue.", mine[-1] if mine else "")


def _passes_by_fairness(run: RunState, one: Waiting) -> bool:
    """Whether the other run goes first although its priority and age alone would put it behind."""
    if one.tenant_id == run.tenant_id or run.queued_at is None:
        return False
    mine = run.queued_at.timestamp() - run.priority * AGEING_S
    return one.queued_at.timestamp() - one.priority * AGEING_S > mine and not one.front
