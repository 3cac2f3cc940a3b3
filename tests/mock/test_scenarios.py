"""Scenario files: the ones that come with the mock can be played, and every mistake of a user's own is explained."""

import re
from pathlib import Path

import pytest
from lodestream_mock import scenarios
from lodestream_mock.play.as_timeline import as_timeline
from lodestream_mock.play.as_tracking import as_logs
from lodestream_mock.play.moment import moment
from lodestream_mock.play.played import play
from lodestream_mock.play.run import Cancellation, Run
from lodestream_mock.scenarios.spans import milliseconds, span
from lodestream_mock.scenarios.story import TERMINAL

from lodestream import documented, wire
from lodestream.v1 import tracking_pb2 as tracking

MINUTE = 60_000
STORY = """\
scenario: mine
title: Mine
now: 2024-01-20T10:00:00Z
stories:
  a:
    kind: job
    name: A
    type: Analysis
    created: 2024-01-20T10:00:00Z
    phases:
      - {name: One, takes: 1m, records: 10}
"""


def job(**said):
    """The documented job as a run."""
    scenario = scenarios.load("documented", said.pop("language", "en"))
    story = scenario.stories["customer-journey"]
    return play(story, Run("cc0e", story.key, 0, story.created, **said))


@pytest.mark.parametrize("name", scenarios.names())
def test_every_scenario_can_be_played_in_both_languages(name):
    """No mistakes, and each story ends with its only terminal happening."""
    assert scenarios.mistakes(scenarios.source(name)) == []
    for language in ("en", "tr"):
        for story in scenarios.load(name, language).stories.values():
            happenings = play(story, Run("r", story.key, 0, story.created)).happenings
            assert [item.kind in TERMINAL for item in happenings].count(True) == 1
            assert happenings[-1].kind in TERMINAL
            assert [item.at for item in happenings] == sorted(item.at for item in happenings)


def test_the_stories_that_the_contract_asks_for_are_there():
    """One per story of the documentation's life of a run."""
    assert scenarios.names() == [
        "batch",
        "batch-failing",
        "cancelled-midway",
        "documented",
        "job-lifecycle",
        "many-logs",
        "operation-lifecycle",
        "operation-retried",
        "queue",
        "timeout",
    ]


@pytest.mark.parametrize("language", ["en", "tr"])
def test_the_documented_timeline_and_logs_are_what_the_job_tells(language):
    """At the documented moment the computed entries are the documented ones, word for word."""
    played = job(language=language)
    at = milliseconds("17m33s")
    timeline = as_timeline(played, at, tracking.TIMELINE_GRANULARITY_MINUTES, language)
    assert (
        wire.to_dict(timeline, language)["timeline"]
        == documented.example("get-job-timeline.response", language)["timeline"]
    )
    logs = wire.to_dict(as_logs(played, at), language)
    assert logs["logs"] == documented.example("get-job-logs.response", language)["logs"]


def test_the_documented_percentages_are_reached_when_the_pages_say_so():
    """65 % at 10:38:45, 85 % at 10:45:33, done at 11:12."""
    played = job()
    assert [moment(played, milliseconds(at)).percent for at in ("0s", "10m45s", "17m33s", "44m")] == [0, 65, 85, 100]


def test_a_cancellation_never_renumbers_what_was_told():
    """What had happened before keeps its number."""
    whole, cut = job(), job(cancelled=Cancellation(12 * MINUTE, "me", "enough"))
    before = moment(whole, 12 * MINUTE).sequence
    assert cut.happenings[:before] == whole.happenings[:before]
    assert [item.kind for item in cut.happenings[before:]] == ["cancel_requested", "cancelled"]


@pytest.mark.parametrize(
    ("text", "millis"), [("0s", 0), ("2m15s", 135_000), ("1h", 3_600_000), ("250ms", 250), ("1h2m3s4ms", 3_723_004)]
)
def test_spans_read_as_they_are_written(text, millis):
    """In milliseconds."""
    assert milliseconds(text) == millis


@pytest.mark.parametrize("text", ["", "3 min", "2s1m", "m", "-1s", "1.5s"])
def test_other_texts_are_no_spans(text):
    """Refused with the form."""
    with pytest.raises(ValueError, match="write it like 2m15s"):
        milliseconds(text)


def test_a_range_of_spans_may_have_equal_ends():
    """ "15m" is short for 15m-15m."""
    assert (span("45m-60m"), span("15m")) == ((2_700_000, 3_600_000), (900_000, 900_000))


@pytest.mark.parametrize(
    ("wrong", "right", "line", "path", "message"),
    [
        ("  a:\n    kind: job", "  a:\n    knid: job", 6, "stories.a.knid", "did you mean kind?"),
        ("takes: 1m", "takes: 1 min", 11, "stories.a.phases[0].takes", "is not a span of time"),
        ("type: Analysis", "type: Analyses", 8, "stories.a.type", "is not one of"),
        ("now: 2024-01-20T10:00:00Z", "now: yesterday", 3, "now", "Invalid isoformat"),
        ("title: Mine", "title: Mine\nextends: documentd", 3, "extends", "did you mean documented?"),
        ("    kind: job", "    kind: job\n    like: b", 4, "stories", "no story 'b'"),
        ("    name: A", "    name: A\n    name: B", 8, "", "given twice"),
        ("scenario: mine", "scenario: [mine", 2, "", "expected"),
        (
            "records: 10}",
            "records: 10, fails: {after: 2m, reason: X, message: m}}",
            11,
            "stories.a.phases[0].fails.after",
            "beyond the end",
        ),
        ("    phases:", "    onRetry: b\n    phases:", 10, "stories.a.onRetry", "no story 'b'"),
        ("    phases:", "    logs: get-jobs\n    phases:", 10, "stories.a.logs", "did you mean get-job.response?"),
    ],
)
def test_a_mistake_is_told_with_line_path_and_fix(wrong, right, line, path, message):
    """Each on its own."""
    assert wrong in STORY
    found = scenarios.mistakes(STORY.replace(wrong, right, 1))
    assert any((m.line, m.path) == (line, path) and message in m.message for m in found), list(map(str, found))


def test_all_mistakes_are_told_in_the_order_of_their_lines():
    """Not only the first."""
    text = STORY.replace("takes: 1m", "takes: soon") + "runs:\n  - {id: x, story: b}\n  - {id: x, story: a}\n"
    assert [(m.line, m.path) for m in scenarios.mistakes(text)] == [
        (11, "stories.a.phases[0].takes"),
        (13, "runs[0].story"),
        (14, "runs[1].id"),
    ]


def test_a_file_of_ones_own_is_played_and_one_with_mistakes_is_refused(tmp_path):
    """By its path; the error carries every mistake."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(STORY)
    bad.write_text(STORY.replace("kind: job", "kind: jobs"))
    assert scenarios.load(str(good)).stories["a"].name == "A"
    with pytest.raises(scenarios.WrongScenario, match=r"line 6: stories\.a\.kind"):
        scenarios.load(str(bad))


def test_an_unknown_scenario_names_the_nearest():
    """And says that own files end in .yaml."""
    with pytest.raises(scenarios.UnknownScenario, match=r"did you mean job-lifecycle.*own files end in .yaml"):
        scenarios.load("job-lifecycel")


def test_the_story_in_the_docs_can_be_played_and_every_scenario_is_described_there():
    """What a reader copies works."""
    page = Path(__file__).resolve().parents[2].joinpath("docs", "mock.md").read_text(encoding="utf-8")
    for story in re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        assert scenarios.mistakes(story) == []
    assert set(scenarios.names()) <= set(re.findall(r"`([a-z-]+)`", page))
