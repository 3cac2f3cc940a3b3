"""Performance Analysis of a job that asks for anomalies or predictions: jobs have the four documented stages and none
for learning, so it happens here, after performance and in the same checkpoint.

What is asked for by name is done (`includeAnomalyDetection`, `enableML`, `algorithmSettings`); nothing else is.
"""

from lodestream_server.workloads.analysis.part import Part
from lodestream_server.workloads.learning.phase import found_by
from lodestream_server.workloads.learning.wishes import wishes
from lodestream_server.workloads.mining import performance
from lodestream_server.workloads.mining.validated import finished_loading, open_log
from lodestream_server.workloads.phase import Json, Phase

#: Share of the phase's progress until performance is done: of the processor time on 1,500 loan cases it was 23 % with
#: anomalies, 13 % with predictions as well.
_FIRST = 0.2


def analyse(phase: Phase) -> Json:
    """Results and files of `performance.analyse`, and `learning` with those of `learning.phase.found_by`, whose
    `anomaliesDetected` also stands on top."""
    asked = wishes(phase.parameters, unasked=False)
    if not (asked.anomalies or asked.predictions):
        return performance.analyse(phase)
    events = open_log(phase).events
    turn = int(events * _FIRST)
    results = performance.analyse(_part(phase, 0, turn, events))
    learned = found_by(_part(phase, turn, events - turn, events), asked)
    counted = {key: learned[key] for key in ("anomaliesDetected", "modelsGenerated") if key in learned}
    return results | counted | {"learning": learned}


def _part(phase: Phase, begin: int, length: int, whole: int) -> Part:
    done = (finished_loading(phase), phase.before("Process Discovery"))
    return Part(
        phase,
        phase.out,
        phase.scratch,
        {one.name: one for one in done},
        begin,
        length,
        whole,
        parameters=phase.parameters,
        dataset=phase.dataset,
    )
