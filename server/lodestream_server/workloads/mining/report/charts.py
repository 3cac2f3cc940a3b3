"""Charts of the report as SVG texts, drawn by Vega-Lite.

Data are rows computed before; the charts load nothing and run nothing when shown.
"""

import re
from dataclasses import dataclass
from datetime import date

import polars as pl

from lodestream_server.workloads.mining.report.shapes import SLOW
from lodestream_server.workloads.mining.report.vega import WEEKDAYS, svg_of
from lodestream_server.workloads.mining.report.wording import ENGLISH, Wording
from lodestream_server.workloads.mining.throughput import by_day
from lodestream_server.workloads.phase import Json

_WIDTH, _HEIGHT = 520, 210
_BLUE, _SOFT = "#2f6fb0", "#9fc1e3"

#: Days, weeks or months: the finest grain that needs no more than about this many points.
_POINTS = 190

#: From here on weeks are shown: days would show little but weekends.
_DAYS = 62

#: So many weeks are labelled by months.
_WEEKS = 40

#: Share of all starts and ends that may be left out at either end, if what is left is at most this part of the time.
_NEXT_TO_NOTHING, _BUSY = 0.005, 0.75

#: Seconds per unit of the cycle-time axis, by the length of the axis.
_UNITS = (
    (86_400 * 730, 31_557_600, "year"),
    (86_400 * 3, 86_400, "day"),
    (3_600 * 2, 3_600, "hour"),
    (120, 60, "minute"),
)


def cycle_times(results: Json, wording: Wording = ENGLISH) -> str | None:
    """Distribution of cycle times with median and 90th percentile; None when all cases take no time."""
    bars = results.get("distribution")
    if not bars:
        return None
    end = bars["barSeconds"] * len(bars["cases"])
    size, unit = axis_unit(end)
    width = bars["barSeconds"] / size
    rows = [{"low": i * width, "high": (i + 1) * width, "cases": n} for i, n in enumerate(bars["cases"])]
    marks = [
        {"at": results[key] / size, "label": label}
        for key, label in (("medianSeconds", wording.say("median")), ("p90Seconds", wording.say("most")))
        if results[key] <= end
    ]
    axis = {"title": wording.say("cycle_axis", unit=wording.say(f"unit_{unit}"))}
    layers: list[Json] = [
        {
            "data": {"values": rows},
            "mark": {"type": "bar", "color": _SOFT, "stroke": "white", "strokeWidth": 0.6, "binSpacing": 0},
            "encoding": {
                "x": {
                    "field": "low",
                    "type": "quantitative",
                    "axis": axis,
                    "scale": {"nice": False, "domain": [0, end / size]},
                },
                "x2": {"field": "high"},
                "y": {"field": "cases", "type": "quantitative", "axis": {"title": wording.say("cases")}},
                "y2": {"datum": 0},
            },
        },
        {
            "data": {"values": marks},
            "mark": {"type": "rule", "color": SLOW, "strokeWidth": 1.6},
            "encoding": {"x": {"field": "at", "type": "quantitative"}},
        },
        {
            "data": {"values": marks},
            "mark": {
                "type": "text",
                "align": "left",
                "dx": 4,
                "baseline": "top",
                "color": SLOW,
                "fontWeight": 600,
                "y": 2,
            },
            "encoding": {"x": {"field": "at", "type": "quantitative"}, "text": {"field": "label"}},
        },
    ]
    return svg_of({"layer": layers, "width": _WIDTH, "height": _HEIGHT}, wording)


def axis_unit(seconds: float) -> tuple[int, str]:
    """Seconds per unit, and the unit, of an axis of this length."""
    return next(((size, unit) for bound, size, unit in _UNITS if seconds >= bound), (1, "second"))


@dataclass(frozen=True, slots=True)
class OverTime:
    """Cases by day, week, month or year: `every` is the grain as polars names it, `grain` as a word; `counts` has day,
    started, finished for each. `started_outside` and `finished_outside` lie before the first or after the last of them.
    """

    every: str
    grain: str
    counts: pl.DataFrame
    started_outside: int
    finished_outside: int


def cases_over_time(hours: pl.DataFrame) -> OverTime:
    """Over the time in which things happen: a few cases far off would leave most of the chart empty."""
    days = by_day(hours)
    shown = _busy(days)
    first, last = _span(shown)
    every, name = _grain((last - first).days + 1)
    counts = (
        shown.with_columns(pl.col("day").cast(pl.Datetime("us")))
        .sort("day")
        .group_by_dynamic("day", every=every)
        .agg(pl.col("started", "finished").sum())
        .upsample("day", every=every)
        .with_columns(pl.col("started", "finished").fill_null(0))
    )
    started, finished = (int(days[key].sum()) - int(shown[key].sum()) for key in ("started", "finished"))
    return OverTime(every, name, counts, started, finished)


def _busy(days: pl.DataFrame) -> pl.DataFrame:
    """Without the days at either end that hold next to nothing, where they take up much of the time."""
    edges = days.filter(pl.col("started") + pl.col("finished") > 0).sort("day")
    part = (pl.col("started") + pl.col("finished")) / (pl.col("started") + pl.col("finished")).sum()
    upto = part.cum_sum()
    kept = edges.filter((upto > _NEXT_TO_NOTHING) & (upto - part < 1 - _NEXT_TO_NOTHING))
    if kept.is_empty():
        return days
    (first, last), (start, end) = _span(days), _span(kept)
    if (end - start).days > _BUSY * (last - first).days:
        return days
    return days.filter(pl.col("day").is_between(start, end))


def over_time(hours: pl.DataFrame, wording: Wording = ENGLISH) -> str:
    """Cases started and finished over time, per day, week or month."""
    found = cases_over_time(hours)
    every, name, counts = found.every, found.grain, found.counts
    rows = [
        {"day": f"{day:%Y-%m-%d}T00:00:00Z", "cases": n, "kind": kind}
        for day, started, finished in counts.iter_rows()
        for kind, n in ((wording.say("started"), started), (wording.say("finished"), finished))
    ]
    by_days = every == "1d" or (every == "1w" and len(counts) < _WEEKS)
    date_format = wording.day if by_days else "%Y" if every == "1y" else "%b %Y"
    scale = {"domain": [wording.say("started"), wording.say("finished")], "range": [_BLUE, SLOW]}
    spec = {
        "data": {"values": rows},
        "mark": {
            "type": "line",
            "interpolate": "monotone" if len(counts) > 2 else "linear",
            "strokeWidth": 1.8,
            "point": len(counts) <= 3,
        },
        "encoding": {
            "x": {
                "field": "day",
                "type": "temporal",
                "scale": {"type": "utc"},
                "axis": {"title": None, "labelOverlap": True, "format": date_format, "tickCount": 7},
            },
            "y": {"field": "cases", "type": "quantitative", "axis": {"title": wording.say(f"cases_per_{name}")}},
            "color": {"field": "kind", "type": "nominal", "scale": scale, "legend": {"title": None, "orient": "top"}},
        },
    }
    return svg_of({**spec, "width": _WIDTH, "height": _HEIGHT - 10}, wording)


def by_weekday(hours: pl.DataFrame) -> str:
    """Events by weekday and hour (UTC) as a heat map."""
    counts = hours.group_by(weekday=pl.col("hour").dt.weekday(), clock=pl.col("hour").dt.hour()).agg(
        pl.col("events").sum()
    )
    found = {(weekday, clock): n for weekday, clock, n in counts.iter_rows()}
    rows = [
        {"weekday": name, "hour": hour, "events": found.get((number, hour), 0)}
        for number, name in enumerate(WEEKDAYS, start=1)
        for hour in range(24)
    ]
    spec = {
        "data": {"values": rows},
        "mark": {"type": "rect", "stroke": "white", "strokeWidth": 1},
        "encoding": {
            "x": {"field": "hour", "type": "ordinal", "axis": {"title": "Hour of day (UTC)", "labelAngle": 0}},
            "y": {"field": "weekday", "type": "ordinal", "sort": list(WEEKDAYS), "axis": {"title": None}},
            "color": {
                "field": "events",
                "type": "quantitative",
                "scale": {"range": ["#eef4fa", "#18548f"], "domainMin": 0},
                "legend": {"title": "Events", "gradientLength": 130},
            },
        },
    }
    return svg_of({**spec, "width": _WIDTH - 60, "height": 170})


def _span(days: pl.DataFrame) -> tuple[date, date]:
    ordered = days["day"].sort().to_list()
    return ordered[0], ordered[-1]


def _grain(days: int) -> tuple[str, str]:
    if days <= _DAYS:
        return "1d", "day"
    return ("1w", "week") if days <= 7 * _POINTS else ("1mo", "month") if days <= 31 * 2 * _POINTS else ("1y", "year")


def unique_ids(svg: str, prefix: str) -> str:
    """Every id of a drawing with a prefix, and the references to it."""
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", svg)
