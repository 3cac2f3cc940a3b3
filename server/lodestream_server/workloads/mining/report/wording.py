"""The words and the manner of figures that drawings use: English unless a report asks for another language.

The map and the charts say nothing but through a `Wording`, so that one drawing serves every language. Pure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lodestream_server.workloads.mining import spoken


@dataclass(frozen=True, slots=True)
class Wording:
    """How figures are written, and `words`: templates by key, as `ENGLISH` has them."""

    count: Callable[[float], str]
    percent: Callable[[float | None], str]
    duration: Callable[[float | None], str]
    short_duration: Callable[[float | None], str]
    words: Mapping[str, str]
    #: Decimal sign and thousands separator of axes.
    decimal: str = "."
    thousands: str = ","
    months: tuple[str, ...] = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    #: A day on an axis.
    day: str = "%-d %b %Y"

    def say(self, key: str, **values: object) -> str:
        """The text of that key with its values. Raises KeyError for an unknown key."""
        return self.words[key].format(**values)


WORDS = {
    "shown": "Shown are {activities} of {all_activities} activities and {steps} of {all_steps} transitions, "
    "which cover {share} of all steps",
    "description": "Directed graph of a process from start to end. {shown}. Most frequent activities: {most}. "
    "Bottlenecks: {slow}. The tables of the report hold all rows.",
    "none": "none",
    "legend_activity": "rare to frequent activity",
    "legend_step": "rare to frequent step",
    "legend_bottleneck": "bottleneck: large share of all waiting",
    "legend_label": "Label of a step: how often · median waiting before the next activity.",
    "works": "works {duration}",
    "mean": "mean {duration}",
    "waiting_share": "{share} of all waiting",
    "start": "start",
    "end": "end",
    "start_of_case": "Start of a case",
    "end_of_case": "End of a case",
    "step": "{source} to {target}: {count} times",
    "step_times": "median {median}, {share} of all waiting",
    "activity": "{name}: {count} times",
    "activity_work": "median work {duration}",
    "activity_waiting": "{share} of all waiting before it",
    "cycle_axis": "Cycle time ({unit})",
    "unit_year": "years",
    "unit_day": "days",
    "unit_hour": "hours",
    "unit_minute": "minutes",
    "unit_second": "seconds",
    "cases": "Cases",
    "median": "median",
    "most": "90 %",
    "started": "started",
    "finished": "finished",
    "cases_per_day": "Cases per day",
    "cases_per_week": "Cases per week",
    "cases_per_month": "Cases per month",
    "cases_per_year": "Cases per year",
}

ENGLISH = Wording(spoken.count, spoken.percent, spoken.duration, spoken.short_duration, WORDS)
