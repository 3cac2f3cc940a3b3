"""Where the labels of arrows go: on their own arrow, clear of boxes and of each other.

Greedy and deterministic: the labels that matter most choose first among places along their route.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from lodestream_server.workloads.mining.report.layout import Point

Size = tuple[float, float]
Rect = tuple[float, float, float, float]
Route = Sequence[Point]

#: Where along a piece of the route a label may sit; the middle first.
_PLACES = (0.5, 0.36, 0.64, 0.22, 0.78)

#: Costs in px: what a label would rather walk than do. Hiding a box or another label is never worth it; another arrow
#: or a bend of its own arrow seldom.
_HIDES_BOX, _HIDES_LABEL, _HIDES_ARROW, _HIDES_BEND = 10_000.0, 6_000.0, 260.0, 140.0
_HIDES_OWN_PIECE, _NEAR_HEAD, _BESIDE = 160.0, 120.0, 60.0

#: Distance of a label that stands beside its arrow from the arrow's middle.
_GAP = 5.0


def place(sizes: Sequence[Size], routes: Sequence[Route], boxes: Iterable[Rect], order: Iterable[int]) -> list[Point]:
    """The centre of each label. `order`: indices of the labels, the most important first; all must occur."""
    solid, turns = list(boxes), list(order)
    pieces = [(i, k, _around(a, b)) for i, route in enumerate(routes) for k, (a, b) in enumerate(pairwise(route))]
    placed: dict[int, Point] = {}
    # In the second round a label may move away from one that was placed after it.
    for _ in range(2):
        for index in turns:
            taken = [_rect(centre, sizes[i]) for i, centre in placed.items() if i != index]
            placed[index] = _best(index, sizes[index], routes[index], solid, taken, pieces)
    return [placed[index] for index in range(len(sizes))]


def _best(
    index: int, size: Size, route: Route, boxes: list[Rect], taken: list[Rect], pieces: list[tuple[int, int, Rect]]
) -> Point:
    def cost(candidate: tuple[float, int, Point]) -> float:
        start, own, centre = candidate
        rect = _rect(centre, size)
        hidden = sum(_meet(rect, box) for box in boxes) * _HIDES_BOX
        hidden += sum(_meet(rect, label) for label in taken) * _HIDES_LABEL
        met = {(i, k) for i, k, piece in pieces if (i, k) != (index, own) and _meet(rect, piece)}
        bends = sum(i == index for i, _ in met)
        return start + hidden + bends * _HIDES_BEND + len({i for i, _ in met} - {index}) * _HIDES_ARROW

    return min(_candidates(route, size), key=cost)[2]


def _candidates(route: Route, size: Size) -> list[tuple[float, int, Point]]:
    """Places on the route and to both sides of it: what speaks against each by itself, its piece, itself."""
    lengths = [abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in pairwise(route)]
    whole, walked = sum(lengths), 0.0
    found = []
    for own, ((a, b), length) in enumerate(zip(pairwise(route), lengths, strict=True)):
        upright = abs(a[1] - b[1]) > abs(a[0] - b[0])
        along = size[1] if upright else size[0]
        dx, dy = (size[0] / 2 + _GAP, 0.0) if upright else (0.0, size[1] / 2 + _GAP)
        for part in _PLACES:
            x, y = a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part
            away = abs(walked + length * part - whole / 2) * 0.25
            squeezed = _HIDES_OWN_PIECE if length * 0.9 < along else 0.0
            close = _NEAR_HEAD if whole - walked - length * part < along / 2 + 14 else 0.0
            found.append((away + squeezed + close, own, (x, y)))
            found += [(away + _BESIDE, own, (x + dx * side, y + dy * side)) for side in (1, -1)]
        walked += length
    return found


def _rect(centre: Point, size: Size) -> Rect:
    return centre[0] - size[0] / 2, centre[1] - size[1] / 2, centre[0] + size[0] / 2, centre[1] + size[1] / 2


def _around(a: Point, b: Point) -> Rect:
    return min(a[0], b[0]) - 2, min(a[1], b[1]) - 2, max(a[0], b[0]) + 2, max(a[1], b[1]) + 2


def _meet(one: Rect, other: Rect) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
