"""The measurement of the queue measures what it says, also where its anchors cannot be had."""

import json

from tools.bench import queue
from tools.bench._queue_anchors import Missing


def test_it_measures_ours_and_names_what_is_missing(capsys, monkeypatch):
    """Every job of ours begins, in a real worker; no network is asked for the anchors here."""

    def nowhere(folder):
        raise Missing("no network")

    monkeypatch.setattr(queue, "CONTENDERS", {**queue.CONTENDERS, "celery": nowhere, "huey": nowhere})
    queue.main(["--json", "--rounds", "1", "--jobs", "16"])
    figures = json.loads(capsys.readouterr().out)
    assert figures["missing"] == {"celery": "no network", "huey": "no network"}
    assert [row["contender"] for row in figures["rows"]] == ["lodestream"]
    assert figures["rows"][0]["start_p50_us"] > 100
    assert figures["rows"][0]["jobs_per_second"] > 1
