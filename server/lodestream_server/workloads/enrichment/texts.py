"""`trim_whitespace` and `fold_case`: texts that differ only in what nobody meant become the same."""

import polars as pl

from lodestream_server.workloads.enrichment.applied import Applied, altered
from lodestream_server.workloads.enrichment.rules import FoldCase, TrimWhitespace
from lodestream_server.workloads.mining.sift import RAW_TIME

_SPACES = r"\s+"


def trim(rows: pl.DataFrame, rule: TrimWhitespace) -> Applied:
    """White space at both ends goes, no-break spaces included. A text that is nothing else becomes empty."""
    expressions = {}
    for name in _texts(rows, rule.columns):
        text = pl.col(name).str.strip_chars()
        expressions[name] = text.str.replace_all(_SPACES, " ") if rule.collapse else text
    return _changed(rows, expressions, "valuesTrimmed")


def fold(rows: pl.DataFrame, rule: FoldCase) -> Applied:
    """Lower, upper or title case."""
    expressions = {}
    for name in _texts(rows, rule.columns):
        text = pl.col(name).str
        expressions[name] = {"lower": text.to_lowercase, "upper": text.to_uppercase, "title": text.to_titlecase}[
            rule.to
        ]()
    return _changed(rows, expressions, "valuesFolded")


def _texts(rows: pl.DataFrame, columns: tuple[str, ...]) -> list[str]:
    names = columns or tuple(name for name in rows.columns if name != RAW_TIME)
    return [name for name in names if rows.schema[name] == pl.String]


def _changed(rows: pl.DataFrame, expressions: dict[str, pl.Expr], name: str) -> Applied:
    after = rows.with_columns(**expressions)
    masks = {column: (rows[column] != after[column]).fill_null(False) for column in expressions}
    masks = {column: mask for column, mask in masks.items() if mask.any()}
    return altered(rows, after, masks, {name: sum(int(mask.sum()) for mask in masks.values())})
