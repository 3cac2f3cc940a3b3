"""Where the boxes of a graph go and how its edges run. The only module that knows the layout engine (graphlay).

`layout` is a pure function: the same graph gives the same drawing. The report's SVG writer calls it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import graphlay

Point = tuple[float, float]
Direction = Literal["topbottom", "leftright"]


@dataclass(frozen=True, slots=True)
class Box:
    """A node: its size in px, its outline, and whether it belongs to the first or the last row."""

    width: float
    height: float
    shape: Literal["box", "ellipse"] = "box"
    row: Literal["free", "first", "last"] = "free"


@dataclass(frozen=True, slots=True)
class Link:
    """An edge between two nodes (indices). Heavier edges are kept straighter; the label's size in px is kept free where
    possible.
    """

    source: int
    target: int
    weight: float = 1.0
    thickness: float = 1.0
    label: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Positions in px from the upper left corner (0, 0) of the drawing; everything lies within `width` and `height`.

    `centres[i]` is the centre of node i; `routes[i]` are the corner points of edge i from border to border.
    """

    width: float
    height: float
    centres: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]


#: Over the engine's preset for process maps: room for two-line labels and arrowheads.
_OPTIONS: dict[str, Any] = {
    "spacing": {"layer_gap": 58.0, "node_gap": 30.0, "dummy_gap": 22.0},
    "routing": {"style": "orthogonal"},
    "labels": {"reservation": "always"},
    "effort": "thorough",
}


#: Ways to decide which edges of a cycle run upwards; the drawing with the least weight running upwards is taken.
_STRATEGIES = ("minimum_reversal", "follow_flow")


def layout(nodes: Sequence[Box], edges: Sequence[Link], direction: Direction = "topbottom") -> Layout:
    """Lays out a directed graph, from top to bottom unless told otherwise. Edges avoid boxes; cycles, self-loops and
    isolated nodes are allowed.
    """
    graph = graphlay.Graph()
    for box in nodes:
        graph.node(width=box.width, height=box.height, shape=box.shape, rank=box.row)
    for edge in edges:
        label = {"label_size": {"width": edge.label[0], "height": edge.label[1]}} if edge.label else {}
        graph.edge(edge.source, edge.target, weight=edge.weight, thickness=edge.thickness, **label)
    options = {**_OPTIONS, "direction": direction}
    tries = [
        graphlay.layout(graph, preset="process_map", options={**options, "cycles": {"strategy": strategy}})
        for strategy in _STRATEGIES
    ]
    best = min(tries, key=lambda drawing: sum(edges[index].weight for index in drawing.raw["reversed"]))
    return _moved(best.nodes, best.edges)


def _moved(nodes: list[dict[str, Any]], routed: list[dict[str, Any]]) -> Layout:
    """The engine's coordinates moved so that everything drawn starts at (0, 0)."""
    centres = [_point(node["center"]) for node in nodes]
    routes = [tuple(_point(point) for point in edge["points"]) for edge in routed]
    corners = [*_corners(nodes), *(point for route in routes for point in route)]
    left, top = min(x for x, _ in corners), min(y for _, y in corners)
    right, bottom = max(x for x, _ in corners), max(y for _, y in corners)

    def moved(points: Sequence[Point]) -> tuple[Point, ...]:
        return tuple((x - left, y - top) for x, y in points)

    return Layout(right - left, bottom - top, moved(centres), tuple(map(moved, routes)))


def _point(raw: dict[str, float]) -> Point:
    return raw["x"], raw["y"]


def _corners(nodes: list[dict[str, Any]]) -> list[Point]:
    found = []
    for node in nodes:
        (x, y), half_w, half_h = _point(node["center"]), node["size"]["width"] / 2, node["size"]["height"] / 2
        found += [(x - half_w, y - half_h), (x + half_w, y + half_h)]
    return found
