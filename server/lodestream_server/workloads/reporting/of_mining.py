"""The PDF report of a mining run, made by its own last phase, through the same document and writer as any report."""

from collections.abc import Sequence

from lodestream_server.workloads.mining.validated import finished_loading
from lodestream_server.workloads.phase import Json, Phase
from lodestream_server.workloads.reporting import pdf
from lodestream_server.workloads.reporting.composed import compose
from lodestream_server.workloads.reporting.pictures import draw_source
from lodestream_server.workloads.reporting.sources import mined_source, tables_of
from lodestream_server.workloads.reporting.speech import speech_of


def mining_pdf(phase: Phase, advice: Sequence[Json], learned: Json) -> bytes:
    """The detailed report of the run that this phase belongs to, in English. `learned` is what learning found."""
    discovery, performance = phase.before("Process Discovery"), phase.before("Performance Analysis")
    phases = {done.name: done for done in (finished_loading(phase), discovery, performance)}
    source = mined_source(phases, advice) | {
        "runId": "",
        "runType": "",
        "name": phase.run_name,
        "dataset": phase.dataset.name if phase.dataset else "",
        "ended": None,
        "others": [],
        "learned": learned,
    }
    speech = speech_of("en")
    drawings = draw_source(source, tables_of(discovery, performance), 1, speech, phase.check)
    document = compose([source], "detailed", phase.run_name, speech, set(drawings))
    phase.check()
    return pdf.write(document, drawings, speech, phase.scratch)
