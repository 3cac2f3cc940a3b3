"""The phase Machine Learning Analysis of the operation: anomalies, predictions, patterns, and the models as a file.

`beside.py` uses `found_by` inside another phase.
"""

from typing import Any

from lodestream_server.workloads.learning import anomalies, packing, patterns, predictions, prefixes
from lodestream_server.workloads.learning.anomalies import Anomalies
from lodestream_server.workloads.learning.cases import FEATURES
from lodestream_server.workloads.learning.completions import Learned, opened
from lodestream_server.workloads.learning.meter import Meter
from lodestream_server.workloads.learning.predictions import Predictions
from lodestream_server.workloads.learning.usual import Usual, usual
from lodestream_server.workloads.learning.wishes import Wishes, wishes
from lodestream_server.workloads.phase import Json, Phase


def learn(phase: Phase) -> Json:
    """Results and files: see `found_by`; without wishes everything is looked for."""
    return found_by(phase, wishes(phase.parameters))


def found_by(phase: Phase, asked: Wishes) -> Json:
    """Results: anomaliesDetected and anomalies, predictions {cycleTimePrediction, pathPrediction, split …} (each absent
    when not asked for), modelsGenerated and patterns. Files: anomalies.csv, scores.parquet, models.zip.
    """
    learned = opened(phase)
    # One pass for what is usual, one for prefixes, two for anomalies.
    meter = Meter(phase, learned, 1 + asked.predictions + 2 * asked.anomalies)
    phase.metrics(modelsTraining=2 * asked.predictions + asked.anomalies, modelsCompleted=0)
    known = usual(meter, learned)
    predicted = predictions.learn(meter, learned, known, asked) if asked.predictions else Predictions({}, {})
    if asked.predictions:
        _tell_predictions(phase, predicted)
    found = anomalies.find(meter, learned, known) if asked.anomalies else None
    if found:
        _tell_anomalies(phase, found)
    meter.say("Looking for patterns")
    recurring = patterns.patterns(learned.variants, learned.activities, meter.check)
    models = _models(phase, learned, known, predicted, found)
    phase.metrics(modelsCompleted=models)
    results: Json = {"modelsGenerated": models, "patterns": recurring}
    if asked.predictions:
        results |= {"predictions": predicted.results}
    if found:
        results |= {"anomalies": found.results}
    if found and found.forest:
        results |= {"anomaliesDetected": found.results["detected"]}
    phase.log(
        "INFO",
        f"{recurring['frequentPatterns']} frequent patterns, {recurring['rarePatterns']} rare ones, "
        f"{recurring['criticalPaths']} critical paths",
    )
    meter.finish()
    return results


def _models(phase: Phase, learned: Learned, known: Usual, predicted: Predictions, found: Anomalies | None) -> int:
    """Publishes the archive; returns how many models are in it."""
    base: dict[str, Any] = {
        "columns": prefixes.names_of(known),
        "columnValues": known.columns,
        "activities": learned.names,
    }
    contents: dict[str, dict[str, Any]] = {name: {**one.content, **base} for name, one in predicted.trained.items()}
    if found and found.forest:
        columns = [list(FEATURES)[place] for place in found.forest.columns]
        contents["anomalies"] = {
            "kind": "isolation forest",
            "model": found.forest.model,
            "columns": columns,
            "thresholds": found.forest.thresholds,
        }
    if not contents:
        return 0
    about: Json = {
        "run": phase.run_name,
        "dataset": phase.dataset.name if phase.dataset else "",
        "cases": learned.cases,
        "events": learned.log.events,
        "predictions": predicted.results,
        "anomalies": {k: v for k, v in found.results.items() if k != "top"} if found else {},
        "figures": {"prefixes": prefixes.COLUMNS, "cases": FEATURES},
    }
    path = phase.out / "models.zip"
    packing.pack(path, contents, about)
    phase.artifact(
        path,
        name=f"Predictive Models of {phase.run_name}",
        type="Model",
        kind="PredictiveModels",
        description="Models as pickles with a manifest: versions, columns, training period, metrics. Pickles run code "
        "when loaded",
    )
    return len(contents)


def _tell_predictions(phase: Phase, predicted: Predictions) -> None:
    if not predicted.trained:
        phase.warn("No predictions: too few cases", reason=predicted.results["notComputed"])
        return
    times, paths = predicted.results["cycleTimePrediction"], predicted.results["pathPrediction"]
    phase.log(
        "INFO",
        f"Remaining time: {times['meanAbsoluteError']} off on average, by the {times['served']}; "
        f"next activity: right in {paths['accuracy']:.1%}, by the {paths['served']}",
        remainingTimeSkill=times.get("skill"),
        nextActivitySkill=paths.get("skill"),
    )


def _tell_anomalies(phase: Phase, found: Anomalies) -> None:
    if not found.forest:
        phase.warn("No anomaly detection: too few cases", reason=found.results["notComputed"])
        return
    counts = {key: found.results[key] for key in ("highSeverity", "mediumSeverity", "lowSeverity")}
    phase.metrics(anomaliesDetected=found.results["detected"])
    phase.milestone(f"Anomaly detection: {found.results['detected']:,} unusual cases", **counts)
