"""The books of cleaning: what each rule found, changed and removed, added up over the buckets."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from lodestream_server.workloads.enrichment.applied import REASON, SAMPLES, Applied, removals
from lodestream_server.workloads.enrichment.rules import Rule
from lodestream_server.workloads.phase import Json

#: Names of removed activities that are listed.
_LISTED = 20


@dataclass(slots=True)
class RuleAccount:
    """One rule's entry. `records` came in, `removed` went, `changed` stayed with other values."""

    name: str
    options: Json
    records: int = 0
    removed: int = 0
    changed: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    activities: Counter[str] = field(default_factory=Counter)
    samples: list[Mapping[str, object]] = field(default_factory=list)
    removals: list[Mapping[str, object]] = field(default_factory=list)

    def add(self, records: int, applied: Applied) -> None:
        """Takes over what the rule did to a bucket of so many records."""
        self.records += records
        self.removed += applied.removed.height
        self.changed += applied.changed
        self.counts.update(applied.counts)
        self.samples = [*self.samples, *applied.samples][:SAMPLES]
        if applied.removed.height:
            self.reasons.update(dict(applied.removed[REASON].value_counts().iter_rows()))
            self.removals = [*self.removals, *removals(applied.removed)][:SAMPLES]
            if "activitiesRejected" in applied.counts:
                self.activities.update(dict(applied.removed["activity"].value_counts().iter_rows()))

    def as_json(self) -> Json:
        """As the phase's results have it."""
        return {
            "rule": self.name,
            "options": self.options,
            "recordsBefore": self.records,
            "recordsAfter": self.records - self.removed,
            "recordsRemoved": self.removed,
            "recordsChanged": self.changed,
            "counts": dict(self.counts),
            "reasons": dict(self.reasons.most_common()),
            "rejectedActivities": dict(self.activities.most_common(_LISTED)),
            "changes": [dict(sample) for sample in self.samples],
            "removals": [dict(sample) for sample in self.removals],
        }


def account_of(rule: Rule) -> RuleAccount:
    """An empty entry with the rule's options as JSON values; options that were left as they are stay out."""
    usual = type(rule)()
    given = {key: value for key, value in asdict(rule).items() if value != getattr(usual, key)}
    return RuleAccount(rule.name, {_camel(key): _plain(value) for key, value in given.items()})


def total(accounts: list[RuleAccount], name: str) -> int:
    """A figure over all rules."""
    return sum(account.counts[name] for account in accounts)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return list(value) if isinstance(value, tuple) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
