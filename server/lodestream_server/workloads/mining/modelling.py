"""The Process Discovery phase of mining: what the log counts (`discovery`), and the process model discovered from that,
as files to download."""

from lodestream_server.workloads.mining.discovery import discover
from lodestream_server.workloads.mining.report.frame import Caption
from lodestream_server.workloads.phase import Json, Phase
from lodestream_server.workloads.process_models.bpmn import NotExpressible, write_bpmn
from lodestream_server.workloads.process_models.discovery import SPOKEN, Discovered
from lodestream_server.workloads.process_models.model_files import BPMN_FILE, PICTURE_FILE, PNML_FILE
from lodestream_server.workloads.process_models.picture import picture
from lodestream_server.workloads.process_models.pnml import write_pnml
from lodestream_server.workloads.process_models.wished import wished_model

#: Arcs of a net that may become a BPMN file: a diagram of a larger one is of no use to anybody, and takes long.
MOST_IN_BPMN = 1_000


def discover_process(phase: Phase) -> Json:
    """Results: those of `discover`, and discoveredModel {algorithm, requested, places, transitions, silentTransitions,
    arcs, files; fallbackReason, activitiesLeftOut, dependencyThreshold, replayedShare where they apply}.
    """
    results = discover(phase)
    phase.progress(results["events"], results["events"], "Discovering the process model")
    found = wished_model(phase, phase.out, phase.run_name)
    return {**results, "discoveredModel": {**found.as_json(), "files": _files(phase, found)}}


def _files(phase: Phase, found: Discovered) -> list[str]:
    """Publishes the net in each form that can hold it; the names of the files."""
    net, said = found.net, f"discovered with {SPOKEN[found.algorithm]}"
    pnml, bpmn, svg = (phase.out / name for name in (PNML_FILE, BPMN_FILE, PICTURE_FILE))
    write_pnml(net, pnml, phase.check)
    phase.artifact(
        pnml,
        name="Process model (PNML)",
        type="Model",
        kind="ProcessModel",
        description=f"Petri net {said}, for process mining tools and conformance checks",
    )
    try:
        if len(net.arcs) > MOST_IN_BPMN:
            raise NotExpressible(f"{len(net.arcs):,} arcs are too many for a diagram")
        write_bpmn(net, bpmn)
    except NotExpressible as reason:
        phase.log("INFO", f"There is no BPMN file of the model: {reason}")
    else:
        phase.artifact(
            bpmn,
            name="Process model (BPMN)",
            type="Model",
            kind="ProcessModel",
            description=f"The model {said} as a BPMN diagram, for modelling tools",
        )
    phase.check()
    subtitle = (
        f"Discovered with {SPOKEN[found.algorithm]}: {len(net.places)} places, {len(net.transitions)} transitions"
    )
    if drawing := picture(net, Caption(f"Process model: {phase.run_name}", subtitle)):
        svg.write_text(drawing, "utf-8")
        phase.artifact(
            svg,
            name="Process model (picture)",
            type="Visualization",
            kind="ProcessModel",
            description=f"Petri net {said}, as a picture",
        )
    else:
        phase.log("INFO", f"The model is not drawn: {len(net.arcs):,} arcs are more than anybody reads")
    return [file.name for file in (pnml, bpmn, svg) if file.exists()]
