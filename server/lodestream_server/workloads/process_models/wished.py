"""The model of a log by the `algorithm` that a run asks for, told in the run's log. Called by mining's discovery phase
and by conformance."""

from pathlib import Path

from lodestream_server.workloads.phase import Phase
from lodestream_server.workloads.process_models.behaviour import behaviour
from lodestream_server.workloads.process_models.discovery import DEFAULT, SPOKEN, Discovered, discovered

#: Activities that are left out and named in a line of the log.
_NAMED = 20


def wished_model(phase: Phase, discovery: Path, title: str) -> Discovered:
    """From what mining's discovery phase left in its folder."""
    wish = str(phase.parameters.get("algorithm") or DEFAULT)
    phase.log("INFO", f"Discovering the process model with {SPOKEN[wish]}", algorithm=wish)
    counts = behaviour(discovery)
    if counts.listed < counts.cases:
        phase.log(
            "INFO",
            f"The model is discovered from the {len(counts.variants):,} most frequent variants "
            f"({counts.listed:,} of {counts.cases:,} cases) and the counts of all",
        )
    found = discovered(counts, wish, phase.scratch, phase.check, title)
    _tell(phase, found)
    return found


def _tell(phase: Phase, found: Discovered) -> None:
    if found.fallback:
        phase.warn(found.fallback, requested=found.requested, algorithm=found.algorithm)
    if found.left_out:
        phase.log(
            "INFO",
            f"Activities that are not part of the model: {len(found.left_out):,}",
            activities=list(found.left_out[:_NAMED]),
        )
    phase.log(
        "INFO",
        f"Process model discovered with {SPOKEN[found.algorithm]}: {len(found.net.places):,} places, "
        f"{len(found.net.transitions):,} transitions",
        algorithm=found.algorithm,
        requested=found.requested,
    )
