"""Drawings of an analysis as SVG texts, by Vega-Lite, in the looks of the mining report.

Data are rows computed before; the drawings load nothing and run nothing when shown.
"""

from collections.abc import Sequence

from lodestream_server.workloads.analysis.statistics import SIGNIFICANT
from lodestream_server.workloads.mining.report.fit import clean
from lodestream_server.workloads.mining.report.shapes import SLOW
from lodestream_server.workloads.mining.report.vega import svg_of
from lodestream_server.workloads.mining.spoken import shortened
from lodestream_server.workloads.phase import Json

_WIDTH, _HEIGHT = 520, 210
_BLUE, _SOFT, _PALE = "#2f6fb0", "#9fc1e3", "#eef4fa"
#: A median of fewer times is not drawn.
_ENOUGH = 5
#: Characters of a name on an axis.
_NAME = 28
_UNITS = (
    (86_400 * 730, 31_557_600, "years"),
    (86_400 * 3, 86_400, "days"),
    (3_600 * 2, 3_600, "hours"),
    (120, 60, "minutes"),
)


def unit_of(seconds: float) -> tuple[float, str]:
    """A unit in which so many seconds read well: its seconds and its name."""
    return next(((size, unit) for bound, size, unit in _UNITS if seconds >= bound), (1, "seconds"))


def over_time(rows: Sequence[Json], what: str, number: str) -> str | None:
    """Median and 90 % of times by period, where enough of them (`number` counts them) make these worth drawing; None
    for fewer than two such periods."""
    timed = [row for row in rows if row["medianSeconds"] is not None and row.get(number, _ENOUGH) >= _ENOUGH]
    if len(timed) < 2:
        return None
    size, unit = unit_of(max(row["p90Seconds"] for row in timed))
    values = [
        {"at": f"{row['from']}T00:00:00Z", "time": row[key] / size, "kind": kind}
        for row in timed
        for key, kind in (("medianSeconds", "median"), ("p90Seconds", "90 % within"))
    ]
    return _lines(values, f"{what} ({unit})", ["median", "90 % within"])


def queue(rows: Sequence[Json]) -> str | None:
    """How much work waited at the end of each period, up to the last one in which much happened."""
    busy = [place for place, row in enumerate(rows) if max(row["arrived"], row["begun"]) >= _ENOUGH]
    rows = rows[: busy[-1] + 1] if busy else []
    if len(rows) < 2:
        return None
    values = [
        {"at": f"{row['from']}T00:00:00Z", "time": row["waitingAtEnd"], "kind": "waiting at the end of the period"}
        for row in rows
    ]
    return _lines(values, "Pieces of work", ["waiting at the end of the period"])


def _lines(values: list[Json], title: str, kinds: list[str]) -> str:
    spec = {
        "data": {"values": values},
        "mark": {"type": "line", "strokeWidth": 1.8, "point": len(values) <= 12},
        "encoding": {
            "x": {
                "field": "at",
                "type": "temporal",
                "scale": {"type": "utc"},
                "axis": {"title": None, "labelOverlap": True, "format": "%d %b %y", "tickCount": 7},
            },
            "y": {"field": "time", "type": "quantitative", "axis": {"title": title}},
            "color": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": kinds, "range": [_BLUE, SLOW][: len(kinds)]},
                "legend": {"title": None, "orient": "top"},
            },
        },
    }
    return svg_of({**spec, "width": _WIDTH, "height": _HEIGHT})


def pareto(points: Sequence[Json]) -> str:
    """The share of cases that so many variants cover."""
    spec: Json = {
        "data": {"values": list(points)},
        "mark": {"type": "area", "color": _SOFT, "line": {"color": _BLUE, "strokeWidth": 1.8}, "opacity": 0.7},
        "encoding": {
            "x": {
                "field": "variants",
                "type": "quantitative",
                "scale": {"nice": False},
                "axis": {"title": "Variants, the most frequent first", "tickMinStep": 1},
            },
            "y": {
                "field": "share",
                "type": "quantitative",
                "scale": {"domain": [0, 1]},
                "axis": {"title": "Share of cases covered", "format": "%"},
            },
        },
    }
    return svg_of({**spec, "width": _WIDTH, "height": _HEIGHT})


def matrix(rows: Sequence[Json], most: int = 14) -> str | None:
    """Who hands over to whom, among those with the most handovers; None without any."""
    totals: dict[str, int] = {}
    for row in rows:
        for name in (row["source"], row["target"]):
            totals[name] = totals.get(name, 0) + row["count"]
    names = sorted(totals, key=lambda name: (-totals[name], name))[:most]
    if len(names) < 2:
        return None
    labels = _labels(names)
    values = [
        {"from": labels[row["source"]], "to": labels[row["target"]], "count": row["count"]}
        for row in rows
        if row["source"] in labels and row["target"] in labels
    ]
    order = [labels[name] for name in names]
    return _heat(values, ("from", order, "Hands over"), ("to", order, "Takes over"), "count", "Handovers")


def workload(rows: Sequence[Json], word: str) -> str | None:
    """The busiest resources by period; None for a single period."""
    periods = sorted({part["from"] for row in rows for part in row["periods"]})
    if len(periods) < 2:
        return None
    labels = _labels([row["resource"] for row in rows])
    values = [
        {"who": labels[row["resource"]], "when": part["from"], "count": part["instances"]}
        for row in rows
        for part in row["periods"]
    ]
    order = [labels[row["resource"]] for row in rows]
    return _heat(values, ("who", order, None), ("when", periods, f"By {word}"), "count", "Activities")


def _heat(
    values: list[Json],
    down: tuple[str, list[str], str | None],
    across: tuple[str, list[str], str | None],
    count: str,
    legend: str,
) -> str:
    every = max(1, len(across[1]) // 16)
    shown = across[1][::every]
    axis: Json = {"title": across[2], "labelAngle": -40, "labelLimit": 120}
    if every > 1:
        axis["values"] = shown
    spec: Json = {
        "data": {"values": values},
        "mark": {"type": "rect", "stroke": "white", "strokeWidth": 1},
        "encoding": {
            "x": {"field": across[0], "type": "ordinal", "sort": across[1], "axis": axis},
            "y": {"field": down[0], "type": "ordinal", "sort": down[1], "axis": {"title": down[2], "labelLimit": 190}},
            "color": {
                "field": count,
                "type": "quantitative",
                "scale": {"range": [_PALE, "#18548f"], "domainMin": 0},
                "legend": {"title": legend, "gradientLength": 120, "tickMinStep": 1},
            },
        },
    }
    return svg_of({**spec, "width": _WIDTH - 60, "height": max(120, 20 * len(down[1]))})


def distributions(bars: Sequence[tuple[str, list[float]]]) -> str | None:
    """The shares of cases that are done within a time, for two selections: name and quantiles (0 to 100 %)."""
    longest = max((quantiles[95] for _, quantiles in bars), default=0.0)
    if longest <= 0:
        return None
    size, unit = unit_of(longest)
    values = [
        {"time": value / size, "share": place / 100, "kind": shortened(clean(name), 60)}
        for name, quantiles in bars
        for place, value in enumerate(quantiles[:96])
    ]
    kinds = [shortened(clean(name), 60) for name, _ in bars]
    spec: Json = {
        "data": {"values": values},
        "mark": {"type": "line", "strokeWidth": 2, "interpolate": "step-after"},
        "encoding": {
            "x": {"field": "time", "type": "quantitative", "axis": {"title": f"Cycle time ({unit})"}},
            "y": {
                "field": "share",
                "type": "quantitative",
                "scale": {"domain": [0, 1]},
                "axis": {"title": "Share of cases done within", "format": "%"},
            },
            "order": {"field": "share"},
            "color": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": kinds, "range": [SLOW, _BLUE]},
                "legend": {"title": None, "orient": "top", "labelLimit": 420, "columns": 1},
            },
        },
    }
    return svg_of({**spec, "width": _WIDTH, "height": _HEIGHT + 20})


def changes(rows: Sequence[Json], most: int = 12) -> str | None:
    """Where the average case waits longer or shorter; None when nothing changed."""
    rows = [row for row in rows if row["changeSecondsPerCase"]][:most]
    if not rows:
        return None
    size, unit = unit_of(max(abs(row["changeSecondsPerCase"]) for row in rows))
    labels = _labels([row["activity"] for row in rows])
    values = [
        {
            "name": labels[row["activity"]],
            "change": row["changeSecondsPerCase"] / size,
            "kind": _kind(row),
        }
        for row in rows
    ]
    order = [value["name"] for value in sorted(values, key=lambda value: -value["change"])]
    spec: Json = {
        "data": {"values": values},
        "mark": {"type": "bar", "height": {"band": 0.72}},
        "encoding": {
            "x": {"field": "change", "type": "quantitative", "axis": {"title": f"Change of waiting per case ({unit})"}},
            "y": {"field": "name", "type": "ordinal", "sort": order, "axis": {"title": None, "labelLimit": 190}},
            "color": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": ["longer", "shorter", "not significant"], "range": [SLOW, _BLUE, "#cbd5e1"]},
                "legend": {"title": None, "orient": "top"},
            },
        },
    }
    return svg_of({**spec, "width": _WIDTH - 80, "height": max(80, 22 * len(values))})


def deviations(rows: Sequence[Json], most: int = 12) -> str | None:
    """The most frequent deviations from a model, skipped and extra; None without any."""
    rows = rows[:most]
    if not rows:
        return None
    labels = _labels([_deviation(row) for row in rows], 60)
    values = [{"name": labels[_deviation(row)], "cases": row["cases"], "kind": row["kind"]} for row in rows]
    spec: Json = {
        "data": {"values": values},
        "mark": {"type": "bar", "height": {"band": 0.72}},
        "encoding": {
            "x": {"field": "cases", "type": "quantitative", "axis": {"title": "Cases", "tickMinStep": 1}},
            "y": {
                "field": "name",
                "type": "ordinal",
                "sort": [value["name"] for value in values],
                "axis": {"title": None, "labelLimit": 330},
            },
            "color": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": ["skipped", "extra"], "range": [SLOW, _BLUE]},
                "legend": {"title": None, "orient": "top"},
            },
        },
    }
    return svg_of({**spec, "width": _WIDTH - 200, "height": max(80, 22 * len(values))})


def _deviation(row: Json) -> str:
    where = f"after {shortened(clean(row['after']), 22)}" if row["after"] else "at the start"
    return f"{row['kind']} {shortened(clean(row['activity']), 24)} {where}"


def _kind(row: Json) -> str:
    if row["pValue"] is None or row["pValue"] >= SIGNIFICANT:
        return "not significant"
    return "longer" if row["changeSecondsPerCase"] > 0 else "shorter"


def _labels(names: Sequence[str], most: int = _NAME) -> dict[str, str]:
    """Short names for axes, all different."""
    found: dict[str, str] = {}
    for name in names:
        short, number = shortened(clean(name), most), 2
        while short in found.values():
            short, number = f"{shortened(clean(name), most - 3)} {number}", number + 1
        found[name] = short
    return found
