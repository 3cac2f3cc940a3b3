"""Requests that create a run: one effect for many sends of the same request_id, and the run that a submission plays."""

from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.message import Message

from lodestream.errors import IdempotencyKeyReused, InvalidField, Violation
from lodestream.wire import LANGUAGES, words
from lodestream_mock.answers.call import Call
from lodestream_mock.play.run import Run

M = TypeVar("M", bound=Message)


def once(call: Call, request: Any, make: Callable[[], M]) -> M:
    """The answer that `make` gives, or the first one again for a request_id that was there before.

    Raises IdempotencyKeyReused when the request differs from the first one.
    """
    key = request.request_id
    if not key:
        return make()
    body = request.SerializeToString(deterministic=True)
    if key in call.session.requests:
        method, first, answer = call.session.requests[key]
        if (method, first) != (call.method, body):
            raise IdempotencyKeyReused(
                f"The request_id {key[:60]!r} was used before with another request ({method}); "
                "send the same request again or another request_id."
            )
        same: M = type(answer).FromString(answer.SerializeToString())
        return same
    made = make()
    call.session.requests[key] = (call.method, body, type(made).FromString(made.SerializeToString()))
    return made


def new_run(call: Call, kind: str, story_key: str, **said: Any) -> Run:
    """A run of this session that plays a story from now on; `said` is what the caller said about it."""
    session = call.session
    run_id, number = session.new_id(kind)
    return run_with_id(call, run_id, story_key, number=number, **said)


def run_with_id(call: Call, run_id: str, story_key: str, **said: Any) -> Run:
    """The same under a given id. In a pinned scenario a documented run that plays this story goes on where it is."""
    session = call.session
    said = {**said, **_unsaid(call, story_key, said)}
    there = session.runs.get(run_id)
    if there and session.pinned and there.story == story_key:
        return session.keep(Run(run_id, story_key, there.began, there.created, **said))
    now = session.now_ms
    return session.keep(Run(run_id, story_key, now, session.scenario.stories[story_key].created + now, **said))


def _unsaid(call: Call, story_key: str, said: dict[str, Any]) -> dict[str, str]:
    """Empty texts for what the story says itself, in any language, so that it goes on to be said in the caller's."""
    stories = [call.session.scenario_in(language).stories[story_key] for language in LANGUAGES]
    same = ("name", "description", "type", "priority")
    return {key: "" for key in same if said.get(key) in {getattr(story, key) for story in stories}}


def type_of(message: Any, field: str, place: str = "") -> str:
    """The type of work that a request names: a documented word, or an own workload's name. `place` leads to the message
    where it is part of another. Raises InvalidField."""
    named = word(message, field)
    if (named == "Custom") == bool(message.custom_type):
        return message.custom_type or named
    fault = "is required where the type is Custom" if named == "Custom" else "excludes a documented type"
    raise InvalidField.of(Violation(f"{place}custom_type", fault))


def word(message: Any, field: str) -> str:
    """The English word of an enum field; "" when it is unset."""
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    return words(descriptor.enum_type, "en").get(getattr(message, field), "")
