"""Which activities and steps a process map shows: enough to stay true, few enough to stay readable.

Shown are the most frequent activities, for each of them the widest way from the start and to the end of the process (so
nothing hangs in the air), and then the most frequent further steps until nearly all steps are covered or the map is
full. What is left out is counted.
"""

from dataclasses import dataclass

import polars as pl

#: A static page shows about this many boxes before nobody reads it any more.
MOST_ACTIVITIES = 60

#: A map of fewer activities has room for one way in and out only.
_ROOMY = 20

#: Steps shown beyond the connecting ones: until this share of all steps is covered …
COVERED = 0.92
#: … and never more than this many per activity (plus the few that a small process may have).
STEPS_PER_ACTIVITY, STEPS_MORE = 1.6, 8

#: As long as the map has fewer steps than this, nothing is left out.
FEW_STEPS = 14

#: Marked are at most this many activities, each with at least this share of all waiting before it, and the steps to
#: them on which at least `SLOW_SHARE` of all waiting happens: a map that shouts everywhere says nothing.
MARKED, MARKED_SHARE, SLOW_SHARE = 3, 0.10, 0.05

START, END = -1, -2


@dataclass(frozen=True, slots=True)
class Activity:
    """A box of the map. `waiting_share` is of all waiting of the log; `median_service` is None where the log does not
    tell it.
    """

    name: str
    count: int
    median_service: float | None
    waiting_share: float
    bottleneck: bool


@dataclass(frozen=True, slots=True)
class Step:
    """An arrow between two activities (indices; START and END are the markers). Seconds; None at the markers."""

    source: int
    target: int
    count: int
    median: float | None
    mean: float | None
    share: float
    bottleneck: bool


@dataclass(frozen=True, slots=True)
class MapContent:
    """What the map shows, and of how much."""

    activities: tuple[Activity, ...]
    steps: tuple[Step, ...]
    all_activities: int
    all_steps: int
    covered: float

    @property
    def inner_steps(self) -> int:
        """Steps between activities; those from the start and to the end are not counted."""
        return sum(step.source >= 0 and step.target >= 0 for step in self.steps)


def select(nodes: pl.DataFrame, flow: pl.DataFrame, waiting: pl.DataFrame, most: int = MOST_ACTIVITIES) -> MapContent:
    """Chooses at most `most` activities and their steps from the tables that the performance phase left: nodes, flow,
    waiting (the largest share first)."""
    worst = waiting.filter((pl.col("share") >= MARKED_SHARE) & (pl.col("totalSeconds") > 0)).head(MARKED)
    named = set(worst["activity"].to_list())
    shown = _shown(nodes, most, named)
    shares = dict(waiting.select("activity", "share").iter_rows())
    activities = tuple(_activity(row, shares, named) for row in shown.iter_rows(named=True))
    index = {activity.name: i for i, activity in enumerate(activities)}
    candidates = _candidates(
        shown, flow.filter(pl.col("source").is_in(list(index)) & pl.col("target").is_in(list(index))), index, named
    )
    chosen = _chosen(len(activities), candidates)
    every = int(flow["count"].sum())
    inner = [step for step in chosen if step.source >= 0 and step.target >= 0]
    covered = sum(step.count for step in inner) / every if every else 1.0
    return MapContent(activities, tuple(chosen), nodes.height, flow.height, covered)


def _shown(nodes: pl.DataFrame, most: int, named: set[str]) -> pl.DataFrame:
    """The most frequent activities; bottlenecks are always there, and of those with which cases most often begin and
    end three each (one each on a small map)."""
    if nodes.height <= most:
        return nodes
    edge = 3 if most >= _ROOMY else 1
    ends = [nodes.filter(pl.col(column) > 0).top_k(edge, by=column) for column in ("starts", "ends")]
    slow = nodes.filter(pl.col("activity").is_in(list(named)))
    chosen = pl.concat([*ends, slow, nodes.head(most)]).unique("activity", maintain_order=True).head(most)
    return chosen.sort("instances", "activity", descending=[True, False])


def _activity(row: dict[str, object], shares: dict[str, float], bottlenecks: set[str]) -> Activity:
    name, median = str(row["activity"]), row.get("medianSeconds")
    return Activity(
        name,
        int(str(row["instances"])),
        None if median is None else float(str(median)),
        shares.get(name, 0.0),
        name in bottlenecks,
    )


def _candidates(nodes: pl.DataFrame, flow: pl.DataFrame, index: dict[str, int], bottlenecks: set[str]) -> list[Step]:
    """All steps between shown activities and from and to the markers, the most frequent first."""
    steps = [
        Step(START, index[name], n, None, None, 0.0, False)
        for name, n in nodes.select("activity", "starts").iter_rows()
        if n
    ]
    steps += [
        Step(index[name], END, n, None, None, 0.0, False)
        for name, n in nodes.select("activity", "ends").iter_rows()
        if n
    ]
    columns = ("source", "target", "count", "medianSeconds", "meanSeconds", "share")
    for source, target, count, median, mean, share in flow.select(columns).iter_rows():
        slow = target in bottlenecks and share >= SLOW_SHARE
        steps.append(Step(index[source], index[target], count, median, mean, share, slow))
    return sorted(steps, key=lambda step: (-step.count, step.source, step.target))


def _chosen(size: int, candidates: list[Step]) -> list[Step]:
    kept = {*_widest(size, candidates, START), *_widest(size, candidates, END)}
    limit = STEPS_MORE + STEPS_PER_ACTIVITY * size
    every = sum(step.count for step in candidates)
    have = sum(candidates[i].count for i in kept)
    for i, step in enumerate(candidates):
        if len(kept) >= limit or (have >= COVERED * every and len(kept) >= FEW_STEPS):
            break
        if i not in kept:
            kept.add(i)
            have += step.count
    kept |= {i for i, step in enumerate(candidates) if step.bottleneck}
    return [candidates[i] for i in sorted(kept)]


def _widest(size: int, candidates: list[Step], root: int) -> set[int]:
    """The steps that join every activity to the marker by the way whose rarest step is most frequent.

    Takes the most frequent step that leads from a joined activity to a new one, again and again (Prim's order).
    """
    joined, kept = {root}, set[int]()
    while len(joined) <= size:
        for i, step in enumerate(candidates):
            near, far = (step.source, step.target) if root == START else (step.target, step.source)
            if near in joined and far not in joined and far >= 0:
                joined.add(far)
                kept.add(i)
                break
        else:
            break
    return kept
