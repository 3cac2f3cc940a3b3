"""Names of columns as the caller knows them, and as the rows have them.

A column may be named as in the source or as in the result (`case_id`, `activity`, `timestamp` …).
"""

from collections.abc import Sequence
from dataclasses import replace

from lodestream_server.workloads.enrichment.faults import fault, unknown
from lodestream_server.workloads.enrichment.raw import RawLog
from lodestream_server.workloads.enrichment.rules import (
    FoldCase,
    RemoveDuplicates,
    Rule,
    TrimWhitespace,
    ValidateActivities,
)
from lodestream_server.workloads.enrichment.validity import check_pattern
from lodestream_server.workloads.mining.sift import attribute_name


def bound(rules: Sequence[Rule], log: RawLog) -> tuple[Rule, ...]:
    """The rules with the names of the rows. Raises BadInput for a column that is not there, for one that is no text
    where texts are needed, and for a pattern that is none."""
    return tuple(_bound(rule, log, f"parameters.cleaningRules[{number}]") for number, rule in enumerate(rules))


def _bound(rule: Rule, log: RawLog, field: str) -> Rule:
    match rule:
        case RemoveDuplicates() | TrimWhitespace():
            return replace(rule, columns=_resolved(rule.columns, log, field))
        case FoldCase():
            columns = _resolved(rule.columns, log, field)
            for name in columns:
                if name in ("timestamp", "start_timestamp"):
                    raise fault(f"{field}.columns", f'"{name}" holds times, not texts')
            return replace(rule, columns=columns)
        case ValidateActivities():
            check_pattern(rule, field)
    return rule


def _resolved(names: Sequence[str], log: RawLog, field: str) -> tuple[str, ...]:
    standard = {name: name for name in log.used.values()}
    known = standard | {name: name for name in log.attributes} | dict(log.used)
    found = []
    for name in names:
        if name not in known and attribute_name(name) not in known:
            raise fault(f"{field}.columns", unknown(name, known, "column"), "MISSING_COLUMN")
        found.append(known.get(name, attribute_name(name)))
    return tuple(dict.fromkeys(found))
