"""Spans of time as people are told them: what is to come is not known to the millisecond. Pure; the shapes use it."""

import math

from lodestream_server.runs.bodies import Range

#: Below that a span is told in whole seconds, from there on in whole minutes.
_SECONDS_BELOW = 120.0


def rounded(span: Range) -> Range:
    """The span in whole seconds below two minutes, else in whole minutes; outwards, and never nothing."""
    step = 1.0 if span.high_s < _SECONDS_BELOW else 60.0
    low = max(step, math.floor(span.low_s / step) * step)
    return Range(low, max(low, math.ceil(span.high_s / step) * step))
