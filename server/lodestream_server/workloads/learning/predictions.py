"""Both predictions from one set of prefixes: learned from the past, judged by later cases."""

from dataclasses import dataclass
from datetime import UTC, datetime

from lodestream_server.workloads.learning import following, remaining
from lodestream_server.workloads.learning.completions import Learned
from lodestream_server.workloads.learning.meter import Meter
from lodestream_server.workloads.learning.prefixes import categories_of, names_of, prefixes, thinned
from lodestream_server.workloads.learning.remaining import Trained
from lodestream_server.workloads.learning.splitting import SHARE, Split, split
from lodestream_server.workloads.learning.usual import Usual
from lodestream_server.workloads.learning.wishes import Wishes
from lodestream_server.workloads.phase import Json


@dataclass(frozen=True, slots=True)
class Predictions:
    """What serves by file name (empty when nothing could be learned), and the results."""

    trained: dict[str, Trained]
    results: Json


def learn(meter: Meter, learned: Learned, usual: Usual, wishes: Wishes) -> Predictions:
    """Reads the prefixes and trains. Too few cases on either side of the split: no predictions, with the reason."""
    parts = split(usual.spans, wishes.effort)
    if parts.shortage:
        return Predictions({}, {"notComputed": parts.shortage})
    learning, judging = prefixes(meter, learned, usual, parts)
    learning, judging = thinned(learning, wishes.effort.train_rows), thinned(judging, wishes.effort.test_rows)
    names, categories = names_of(usual), categories_of(usual)
    rounds = wishes.effort.rounds if wishes.boosting else 0
    meter.say("Training the remaining time model")
    times = remaining.train(meter, learning, judging, names, categories, rounds)
    meter.phase.metrics(modelsCompleted=1)
    meter.say("Training the next activity model")
    paths = following.train(meter, learning, judging, names, categories, rounds)
    meter.phase.metrics(modelsCompleted=2)
    results = {
        "cycleTimePrediction": times.results,
        "pathPrediction": paths.results,
        "split": _told(parts) | {"prefixesLearned": learning.height, "prefixesJudged": judging.height},
        "effort": wishes.effort.name,
        "boosting": wishes.boosting,
        "definitions": DEFINITIONS,
    }
    return Predictions({"remaining_time": times, "next_activity": paths}, results)


def _told(parts: Split) -> Json:
    return {
        "trainingFrom": _text(parts.first),
        "trainingUntil": _text(parts.instant),
        "trainingCases": parts.train_cases,
        "testCases": parts.test_cases,
        "overlappingCasesLeftOut": parts.overlapping,
        "everyTrainingCase": parts.train_every,
        "everyTestCase": parts.test_every,
    }


def _text(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


#: What the words of the results mean.
DEFINITIONS = {
    "split": f"at the start of the case at {SHARE:.0%} of all case starts; learned from cases that ended before, "
    "judged by cases that began at or after; cases that overlap the split are left out",
    "cycleTimePrediction": "seconds from an activity to the end of its case; accuracy is 1 - mean absolute error / "
    "mean remaining time, at least 0",
    "pathPrediction": "the next activity or the end of the case; accuracy is the share of prefixes whose next activity "
    "was named exactly; confidence is the mean probability of what was named",
    "skill": "of the model: 1 - its error / the baseline's error; 0 is no better than the baseline, 1 is perfect",
    "served": "the model where it is better than every baseline on the later cases, else the best baseline",
}
