"""Every listed contradiction is about a place that a documented payload has, and the telling ones are true."""

import json
from importlib.resources import files
from typing import Any

from lodestream import documented

QUIRKS = json.loads(files("lodestream_mock").joinpath("quirks.json").read_text(encoding="utf-8"))


def test_every_quirk_names_a_place_in_a_documented_payload():
    """Both languages have it."""
    for quirk in QUIRKS:
        for language in ("en", "tr"):
            place: Any = documented.example(quirk["example"], language)
            for token in quirk["where"].split("/"):
                place = place[int(token)] if isinstance(place, list) else place[token]


def test_the_contradictions_are_there():
    """As the pages print them."""
    operation, tracked = documented.example("get-operation.response"), documented.example("track-jobs.response")
    assert (operation["progress"]["totalPhases"], len(operation["phases"])) == (3, 4)
    assert (tracked["jobCount"], len(tracked["jobs"])) == (5, 3)
    assert documented.example("get-job.response")["progress"]["percentage"] == 65
    assert documented.example("get-job-progress.response")["overallProgress"]["percentage"] == 85
    assert documented.example("get-job-results.response")["status"] == "Completed"
    assert "{tenantId}" in documented.example("start-operation.response")["trackingUrl"]
