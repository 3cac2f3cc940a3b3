"""How fast the transcoder is against protobuf's own json_format with orjson, on the documented get-operation answer.

`python -m tools.bench.wire [--json] [--rounds N]`. The contenders take turns in short rounds within one run, and the
medians of the rounds are compared, so a busy machine slows all of them alike: the ratios are what counts. Both sides
get the JSON that they would themselves write: ours the documented texts, json_format its canonical form of the same
message. "fresh" shifts every time and duration between calls, so that the caches of texts help as little as they would
with answers that never repeat.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import Any

import orjson
from google.protobuf import json_format

from lodestream import documented
from lodestream.v1.operation_pb2 import GetOperationResponse
from lodestream.wire import from_json, to_json

# Above the sizes of the transcoder's caches, so that "fresh" values have left them before they come round again.
FRESH_MESSAGES = 5_000
CALLS_A_ROUND = 200


@dataclass(frozen=True, slots=True)
class Result:
    """Medians in microseconds a call, and how many times faster the transcoder is."""

    name: str
    ours_us: float
    json_format_us: float
    ratio: float


def measure(rounds: int = 30, fresh_messages: int = FRESH_MESSAGES) -> list[Result]:
    """Encoding and decoding of the example, warm and fresh, each against json_format in the same rounds."""
    messages = _messages(fresh_messages)
    texts = [to_json(message) for message in messages]
    canonical = [orjson.dumps(json_format.MessageToDict(message)) for message in messages]
    return [
        _compare("encode", _encode, _encode_canonical, messages[:1], messages[:1], rounds),
        _compare("encode, fresh", _encode, _encode_canonical, messages, messages, rounds),
        _compare("decode", _decode, _decode_canonical, texts[:1], canonical[:1], rounds),
        _compare("decode, fresh", _decode, _decode_canonical, texts, canonical, rounds),
    ]


def _messages(count: int) -> list[GetOperationResponse]:
    template = from_json(documented.example_bytes("get-operation.response"), GetOperationResponse)
    return [_shifted(template, number) for number in range(count)]


def _shifted(template: GetOperationResponse, number: int) -> GetOperationResponse:
    message = GetOperationResponse()
    message.CopyFrom(template)
    message.progress.estimated_remaining.high.seconds += number
    phases = [
        moment
        for p in message.phases
        for moment in (p.start_time, p.end_time, p.estimated_start_time)
        if moment.seconds
    ]
    whole = [
        message.date_created,
        message.timeout_at,
        message.progress.start_time,
        message.progress.estimated_completion,
    ]
    for place, moment in enumerate([*phases, *whole, message.callbacks.last_progress_callback]):
        moment.seconds += number * 10_000 + place
    spans = [phase.duration for phase in message.phases if phase.HasField("duration")]
    for place, span in enumerate([message.progress.elapsed, *spans]):
        span.seconds += number * 3 + place  # three spans a message, no two alike over all messages
    return message


def _encode(message: Any) -> bytes:
    return to_json(message)


def _encode_canonical(message: Any) -> bytes:
    return orjson.dumps(json_format.MessageToDict(message))


def _decode(text: Any) -> GetOperationResponse:
    return from_json(text, GetOperationResponse)


def _decode_canonical(text: Any) -> GetOperationResponse:
    return json_format.ParseDict(orjson.loads(text), GetOperationResponse())


def _compare(
    name: str,
    ours: Callable[[Any], Any],
    theirs: Callable[[Any], Any],
    our_inputs: Sequence[Any],
    their_inputs: Sequence[Any],
    rounds: int,
) -> Result:
    our_turn, their_turn = cycle(our_inputs), cycle(their_inputs)
    times = [(_round(ours, our_turn), _round(theirs, their_turn)) for _ in range(rounds + 1)][1:]  # the first warms up
    our_us, their_us = (statistics.median(column) for column in zip(*times, strict=True))
    return Result(name, round(our_us, 1), round(their_us, 1), round(their_us / our_us, 2))


def _round(function: Callable[[Any], Any], inputs: Any) -> float:
    batch = [next(inputs) for _ in range(CALLS_A_ROUND)]
    start = time.perf_counter()
    for item in batch:
        function(item)
    return (time.perf_counter() - start) / CALLS_A_ROUND * 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the comparison."""
    parser = argparse.ArgumentParser(description="The transcoder against json_format + orjson.")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rounds", type=int, default=30, help=f"rounds of {CALLS_A_ROUND} calls each")
    options = parser.parse_args(arguments)
    results = measure(options.rounds)
    if options.json:
        print(json.dumps([asdict(result) for result in results]))
        return
    print(f"{'get-operation answer':22}{'ours':>10}{'json_format':>14}{'times as fast':>16}")
    for result in results:
        print(f"{result.name:22}{result.ours_us:>8} us{result.json_format_us:>11} us{result.ratio:>16}")


if __name__ == "__main__":
    main()
