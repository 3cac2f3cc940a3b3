"""A process map for a slide: drawn from left to right and, where that is too long, cut into strips that stand one under
the other like lines of text."""

from collections.abc import Callable, Iterator
from itertools import pairwise

from lodestream_server.workloads.mining.report import shapes
from lodestream_server.workloads.mining.report.frame import LEGEND, MARGIN, document, legend
from lodestream_server.workloads.mining.report.process_map import Drawn, draw_graph
from lodestream_server.workloads.mining.report.selection import MapContent
from lodestream_server.workloads.mining.report.shapes import tag
from lodestream_server.workloads.mining.report.wording import Wording

#: A slide's room for the map, in points; the size of an activity's name in the drawing, in px.
ROOM, NAME = (880.0, 408.0), 13.0

#: Names of this size can be read; further strips are then not needed.
_ENOUGH = 9.0

_MOST_STRIPS, _GAP, _LEAST_WIDTH, _BEHIND = 3, 26.0, 860.0, 7.0


def draw_strips(content: MapContent, wording: Wording, check: Callable[[], None]) -> tuple[str, float]:
    """The drawing with the largest letters, and their size in points on a slide."""
    graph = draw_graph(content, wording, "leftright")
    check()
    best, largest = "", 0.0
    for pieces in range(1, _MOST_STRIPS + 1):
        svg, width, height = _document(content, graph, _cuts(graph, pieces), wording)
        points = NAME * min(ROOM[0] / width, ROOM[1] / height)
        if points > largest:
            best, largest = svg, points
        if largest >= _ENOUGH:
            break
    return best, largest


def _cuts(graph: Drawn, pieces: int) -> list[float]:
    """Where strips begin and end: between boxes, as near to equal parts as may be."""
    whole = graph.right - graph.left
    free = list(_gaps(graph))
    inner = {
        min(free, key=lambda x: abs(x - (graph.left + whole * part / pieces))) for part in range(1, pieces) if free
    }
    return [graph.left, *sorted(inner), graph.right]


def _gaps(graph: Drawn) -> Iterator[float]:
    """Right behind a box where none stands: arrows leave the strip there, and their labels are whole on the next."""
    reached = float("inf")
    for start, end in sorted(graph.boxes):
        if start > reached + 2 * _BEHIND:
            yield reached + _BEHIND
        reached = end if reached == float("inf") else max(reached, end)


def _document(content: MapContent, graph: Drawn, cuts: list[float], wording: Wording) -> tuple[str, float, float]:
    """The strips with the legend under them, and the drawing's size."""
    spans = list(pairwise(cuts))
    width = max(_LEAST_WIDTH, max(end - start for start, end in spans) + 2 * MARGIN)
    height = len(spans) * (graph.height + _GAP) - _GAP + LEGEND + 2 * MARGIN
    body = [tag("rect", width=width, height=height, fill=shapes.PAPER)]
    for place, (start, end) in enumerate(spans):
        y = MARGIN + place * (graph.height + _GAP)
        left = MARGIN if len(spans) > 1 else (width - (end - start)) / 2
        body.append(_strip(graph, start, end, left, y))
        body += [
            _cut(x, y, graph.height) for x, cut in ((left, place > 0), (left + end - start, end != cuts[-1])) if cut
        ]
    body.append(legend(content, height - LEGEND, width, wording))
    return document("".join(body), width, height, content, None, wording), width, height


def _strip(graph: Drawn, start: float, end: float, x: float, y: float) -> str:
    size = {"width": end - start, "height": graph.height + 8}
    return tag(
        "svg", graph.markup, x=x, y=y - 4, viewBox=f"{start:.1f} -4 {end - start:.1f} {graph.height + 8:.1f}", **size
    )


def _cut(x: float, y: float, height: float) -> str:
    return tag("line", x1=x, y1=y, x2=x, y2=y + height, stroke="#b8c4d0", stroke_width=1.5, stroke_dasharray="4 5")
