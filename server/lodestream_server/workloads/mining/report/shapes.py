"""SVG pieces: escaped text, arrows with round corners, colours by frequency. Strings in, strings out."""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from lodestream_server.workloads.mining.report.fit import clean
from lodestream_server.workloads.mining.report.layout import Point

FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
INK, MUTED, PAPER, SLOW = "#17202b", "#5b6877", "#ffffff", "#c2410c"

_LIGHT, _DARK = (232, 241, 250), (24, 84, 143)
_PALE, _STRONG = (168, 181, 196), (44, 66, 92)
_CORNER = 9.0

#: From this frequency on white text has the better contrast; at this point both have 4.4:1 or more.
_WHITE_FROM = 0.62


def tag(name: str, body: str = "", /, **attributes: object) -> str:
    """An element; `_` in attribute names stands for `-`, a trailing one is dropped. The body must be markup already."""
    text = "".join(
        f" {key.rstrip('_').replace('_', '-')}={quoteattr(_value(value))}" for key, value in attributes.items()
    )
    return f"<{name}{text}>{body}</{name}>" if body else f"<{name}{text}/>"


def _value(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def text(content: str, x: float, y: float, size: float, **attributes: object) -> str:
    """A line of text, centred on x unless told otherwise; right-to-left text keeps its direction."""
    given: dict[str, object] = {"text_anchor": "middle", "fill": INK, **attributes}
    return tag("text", escape(clean(content)), x=x, y=y, font_size=size, unicode_bidi="plaintext", **given)


def tooltip(content: str) -> str:
    """What browsers show when the pointer rests on the element around it."""
    return f"<title>{escape(clean(content))}</title>"


def _mix(low: tuple[int, int, int], high: tuple[int, int, int], part: float) -> str:
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(low, high, strict=True))


def fill(part: float) -> tuple[str, str]:
    """Colour of a box and of the text on it, for a frequency between 0 and 1."""
    return _mix(_LIGHT, _DARK, part), PAPER if part >= _WHITE_FROM else INK


def stroke(part: float) -> str:
    """Colour of an arrow for a frequency between 0 and 1."""
    return _mix(_PALE, _STRONG, part)


def arrow(points: Sequence[Point], width: float, colour: str, **attributes: object) -> str:
    """A line with round corners through the points and a head at its end."""
    head = 7.0 + width * 1.3
    line = list(points)
    line[-1] = _towards(line[-1], line[-2], head * 0.85)
    body = tag(
        "path", d=_path(line), fill="none", stroke=colour, stroke_width=width, stroke_linecap="butt", **attributes
    )
    return body + tag("path", d=_head(points[-2], points[-1], head), fill=colour)


def _towards(start: Point, goal: Point, distance: float) -> Point:
    length = math.dist(start, goal)
    part = min(1.0, distance / length) if length else 0.0
    return start[0] + (goal[0] - start[0]) * part, start[1] + (goal[1] - start[1]) * part


def _head(before: Point, tip: Point, size: float) -> str:
    angle = math.atan2(tip[1] - before[1], tip[0] - before[0])
    half = size * 0.42
    corners = [tip]
    for side in (1, -1):
        x = tip[0] - size * math.cos(angle) + side * half * math.sin(angle)
        y = tip[1] - size * math.sin(angle) - side * half * math.cos(angle)
        corners.append((x, y))
    return "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in corners) + " Z"


def _path(points: Sequence[Point]) -> str:
    parts = [f"M{points[0][0]:.1f},{points[0][1]:.1f}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        room = min(_CORNER, math.dist(before, corner) / 2, math.dist(corner, after) / 2)
        (x1, y1), (x2, y2) = _towards(corner, before, room), _towards(corner, after, room)
        parts.append(f"L{x1:.1f},{y1:.1f} Q{corner[0]:.1f},{corner[1]:.1f} {x2:.1f},{y2:.1f}")
    parts.append(f"L{points[-1][0]:.1f},{points[-1][1]:.1f}")
    return " ".join(parts)
