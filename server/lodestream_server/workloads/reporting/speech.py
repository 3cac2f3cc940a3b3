"""`Speech`: a language's words, and numbers, durations and dates as its readers write them.

The words are data: texts/<language>.json, all with the same keys and the same placeholders. Pure but for reading them.
"""

import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from lodestream_server.workloads.mining.report.fit import clean
from lodestream_server.workloads.mining.report.wording import Wording
from lodestream_server.workloads.reporting.model import Kind, Value

LANGUAGES = ("en", "tr", "de", "fr")

_UNITS = (
    (2 * 31_557_600.0, 31_557_600.0, "year"),
    (2 * 86_400.0, 86_400.0, "day"),
    (3_600.0, 3_600.0, "hour"),
    (60.0, 60.0, "minute"),
)
#: What is unknown.
ABSENT = "–"


@dataclass(frozen=True, slots=True)
class Speech:
    """One language. `texts` are templates; `manner` says how figures are written."""

    language: str
    texts: dict[str, str]
    manner: dict[str, Any]

    def say(self, key: str, **values: object) -> str:
        """The text of that key with its values. Raises KeyError for an unknown key."""
        return self.texts[key].format(**values)

    def number(self, value: float, decimals: int = 1) -> str:
        """With the language's signs; trailing zeros are dropped."""
        text = f"{value:,.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        signs = str.maketrans({",": self.manner["thousands"], ".": self.manner["decimal"]})
        return ("0" if text in {"-0", ""} else text).translate(signs)

    def count(self, value: float) -> str:
        """A whole number."""
        return self.number(value, 0)

    def percent(self, share: float | None) -> str:
        """A share of one with one decimal; what is not quite nothing is "< 0.1 %"."""
        if share is None:
            return ABSENT
        if share < 0:
            return "−" + self.percent(-share)
        small = 0 < share < 0.0005
        digits = f"{0.1 if small else share * 100:.1f}".replace(".", self.manner["decimal"])
        return ("< " if small else "") + str(self.manner["percent"]).format(digits)

    def duration(self, seconds: float | None) -> str:
        """One unit and at most one decimal: "4.2 hours", "4,2 saat"."""
        if seconds is None:
            return ABSENT
        number, unit = self._in_unit(seconds)
        one, many = self.manner["units"][unit]
        single = _plain(number, self) < 2 if self.manner["singularBelowTwo"] else number == "1"
        return f"{number}\u00a0{one if single else many}"

    def short_duration(self, seconds: float | None) -> str:
        """The same for tight places: "4.2 h"."""
        if seconds is None:
            return ABSENT
        number, unit = self._in_unit(seconds)
        return f"{number} {self.manner['shortUnits'][unit]}"

    def _in_unit(self, seconds: float) -> tuple[str, str]:
        for bound, size, unit in _UNITS:
            if seconds >= bound:
                return self.number(seconds / size), unit
        return self.number(seconds, 1 if seconds < 10 else 0), "second"

    def capitalised(self, text: str) -> str:
        """The text with a capital first letter; a Turkish i keeps its dot."""
        first = "İ" if self.language == "tr" and text[:1] == "i" else text[:1].upper()
        return first + text[1:]

    def counted(self, key: str, number: int) -> str:
        """The text of that key about so many; one may be told otherwise."""
        return self.say(key + "_one" * (number == 1), count=self.count(number))

    def labelled(self, label: str, text: str) -> str:
        """A label before what it labels; the French put a space before the colon."""
        return f"{label}{self.manner['colon']} {text}"

    def date(self, day: date) -> str:
        """A day in words."""
        if self.language == "fr" and day.day == 1:
            return f"1er {self.manner['months'][day.month - 1]} {day.year}"
        return str(self.manner["date"]).format(day=day.day, month=self.manner["months"][day.month - 1], year=day.year)

    def short_date(self, text: str, grain: str) -> str:
        """A point of an axis: day and month, month and year, or the year, from ISO 8601."""
        day = date.fromisoformat(text[:10])
        month = self.manner["shortMonths"][day.month - 1]
        match grain:
            case "year":
                return str(day.year)
            case "month":
                return f"{month} {day.year}"
            case _:
                return str(self.manner["dayMonth"]).format(day=day.day, month=month)

    def iso_date(self, text: str | None) -> str:
        """A day in words, from ISO 8601."""
        return self.date(date.fromisoformat(text[:10])) if text else ABSENT

    def value(self, value: Value, kind: Kind) -> str:
        """A raw value as readers see it."""
        if value is None or value == "":
            return ABSENT
        if isinstance(value, str):
            return clean(value)
        match kind:
            case "count":
                return self.count(value)
            case "percent":
                return self.percent(value)
            case "duration":
                return self.duration(value)
            case "score":
                return self.say("of_100", score=self.number(value))
            case "change":
                return self.change(value)
            case "number" | "text":
                return self.number(value)

    def change(self, share: float) -> str:
        """A relative change with its sign: "+12.3 %", "−4.0 %", "±0 %"."""
        if abs(share) < 0.0005:
            return "±" + str(self.manner["percent"]).format("0")
        return ("+" if share > 0 else "−") + self.percent(abs(share))

    def wording(self) -> Wording:
        """The words of drawings."""
        words = {key.removeprefix("map."): text for key, text in self.texts.items() if key.startswith("map.")}
        return Wording(
            self.count,
            self.percent,
            self.duration,
            self.short_duration,
            words,
            self.manner["decimal"],
            self.manner["thousands"],
            tuple(self.manner["shortMonths"]),
            str(self.manner["dayMonth"]).format(day="%-d", month="%b") + " %Y",
        )


def _plain(number: str, speech: Speech) -> float:
    """The number that a text of this language stands for."""
    plain = number.replace(speech.manner["thousands"], "").replace(speech.manner["decimal"], ".")
    return float(plain)


@cache
def speech_of(language: str) -> Speech:
    """The language's speech. Raises KeyError for one that is not among LANGUAGES."""
    if language not in LANGUAGES:
        raise KeyError(language)
    data = json.loads((Path(__file__).parent / "texts" / f"{language}.json").read_text("utf-8"))
    return Speech(language, data["texts"], data["manner"])
