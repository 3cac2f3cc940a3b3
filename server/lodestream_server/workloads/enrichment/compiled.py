"""A checked expression becomes a polars expression over the columns of the log.

Only functions of the table below are ever called; none of them reaches outside the row or its case. What cannot be
computed (a division by nothing, a text that is no number, an integer wider than 64 bits) is null, never infinity.
"""

import ast
from collections.abc import Callable, Mapping

import polars as pl

from lodestream_server.workloads.enrichment.faults import nearest, unknown
from lodestream_server.workloads.enrichment.patterns import pattern_fault
from lodestream_server.workloads.enrichment.syntax import FUNCTIONS, Expression, column_called, literal
from lodestream_server.workloads.enrichment.wishes import instant

_CASE = "case_id"


def add(frame: pl.DataFrame, expressions: tuple[Expression, ...], zone: str) -> pl.DataFrame:
    """The rows (in the order of the log) with a column for each expression. Raises BadInput, with the expression at
    fault."""
    for expression in expressions:
        try:
            frame = frame.with_columns(_result(frame, expression, zone))
        except pl.exceptions.PolarsError as wrong:
            raise expression.wrong(expression.tree, f"types do not fit: {_first_line(wrong)}") from wrong
    return frame


def check(schema: Mapping[str, pl.DataType], expressions: tuple[Expression, ...], zone: str) -> dict[str, pl.DataType]:
    """The types of the new columns, found on no rows at all. Raises BadInput as `add` does."""
    columns = {name: pl.Series(name, [], dtype=kind) for name, kind in schema.items()}
    full = add(pl.DataFrame(columns), expressions, zone)
    return {expression.name: full.schema[expression.name] for expression in expressions}


def _result(frame: pl.DataFrame, expression: Expression, zone: str) -> pl.Series:
    if expression.name in frame.columns:
        raise expression.wrong(expression.tree, f'a column "{expression.name}" is there already: choose another name')
    built = _Builder(expression, frame.clear(), zone).build(expression.tree)
    values = frame.with_columns(built.alias(expression.name))[expression.name]
    if values.dtype == pl.Duration:
        return (values.dt.total_microseconds() / 1e6).alias(expression.name)
    if values.dtype.is_float():
        return values.set(~values.is_finite(), None)
    if values.dtype.is_integer():
        return values.cast(pl.Int64, strict=False)
    return values.cast(pl.String) if values.dtype == pl.Null else values


def _first_line(wrong: Exception) -> str:
    return str(wrong).strip().split("\n")[0][:200]


class _Builder:
    """Walks one tree."""

    def __init__(self, expression: Expression, empty: pl.DataFrame, zone: str) -> None:
        self._expression = expression
        self._empty = empty
        self._columns = tuple(empty.columns)
        self._zone = zone

    def build(self, node: ast.expr) -> pl.Expr:
        """The polars expression of a node."""
        match node:
            case ast.Constant(value=value):
                return pl.lit(value)
            case ast.Name(id=name):
                return self._column(name, node)
            case ast.BinOp(left=left, op=operator, right=right):
                return _BINARY[type(operator)](self.build(left), self.build(right))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~self.build(operand)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.build(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.build(operand)
            case ast.BoolOp(op=operator, values=values):
                parts = [self.build(value) for value in values]
                return pl.all_horizontal(parts) if isinstance(operator, ast.And) else pl.any_horizontal(parts)
            case ast.Compare():
                return self._compare(node)
            case ast.IfExp(test=test, body=body, orelse=other):
                return pl.when(self.build(test)).then(self.build(body)).otherwise(self.build(other))
            case ast.Call():
                return self._call(node)
        raise self._expression.wrong(node, "is not available here")

    def _column(self, name: str, node: ast.expr) -> pl.Expr:
        if name in self._columns:
            return pl.col(name)
        near = nearest(name, self._columns)
        hint = ' (a text is written "in quotes")' if near is None else ""
        raise self._expression.wrong(node, unknown(name, self._columns, "column") + hint)

    def _compare(self, node: ast.Compare) -> pl.Expr:
        parts, left = [], self.build(node.left)
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(right, ast.List | ast.Tuple):
                inside = pl.any_horizontal([left == literal(item) for item in right.elts])
                parts.append(inside if isinstance(operator, ast.In) else ~inside)
            else:
                other = self.build(right)
                self._check_times(node, (left, other))
                parts.append(_COMPARED[type(operator)](left, other))
                left = other
        return parts[0] if len(parts) == 1 else pl.all_horizontal(parts)

    def _check_times(self, node: ast.Compare, sides: tuple[pl.Expr, pl.Expr]) -> None:
        """Polars would take a number for microseconds."""
        one, other = (self._empty.select(side.alias("side")).schema["side"] for side in sides)
        if (one.is_temporal() and other.is_numeric()) or (one.is_numeric() and other.is_temporal()):
            raise self._expression.wrong(
                node,
                'a time is compared with a time, such as date("2024-01-31"), and a time between two with '
                "seconds_between, hours_between or days_between",
            )

    def _call(self, node: ast.Call) -> pl.Expr:
        named = column_called(node)
        if named:
            return self._column(*named)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        fixed = FUNCTIONS[name][2]
        if name in _TIMES:
            return _TIMES[name](self.build(node.args[0]).dt.convert_time_zone(self._zone))
        if name == "date":
            return pl.lit(instant(literal(node.args[0]), self._expression.field))
        if name == "matches" and (wrong := pattern_fault(str(literal(node.args[1])))):
            raise self._expression.wrong(node.args[1], f"this is no regular expression: {wrong}")
        arguments = [
            literal(argument) if place in fixed else self.build(argument) for place, argument in enumerate(node.args)
        ]
        try:
            return CALLED[name](*arguments)
        except (TypeError, ValueError, OverflowError) as wrong:
            raise self._expression.wrong(node, f"{name} cannot take these arguments") from wrong


_BINARY: Mapping[type[ast.operator], Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
    ast.Pow: lambda a, b: a.cast(pl.Float64).pow(b),
}

_COMPARED: Mapping[type[ast.cmpop], Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}

#: Parts of an instant, on the clock of `timeZone`.
_TIMES: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
    "year": lambda at: at.dt.year().cast(pl.Int64),
    "month": lambda at: at.dt.month().cast(pl.Int64),
    "day": lambda at: at.dt.day().cast(pl.Int64),
    "hour": lambda at: at.dt.hour().cast(pl.Int64),
    "minute": lambda at: at.dt.minute().cast(pl.Int64),
    "weekday": lambda at: at.dt.strftime("%A"),
}


def _between(a: pl.Expr, b: pl.Expr, micros: float) -> pl.Expr:
    return (b - a).dt.total_microseconds() / micros


def _slice(text: pl.Expr, start: int, length: int | None = None) -> pl.Expr:
    return text.str.slice(start, length)


#: Everything that an expression can call, but for columns and times.
CALLED: Mapping[str, Callable[..., pl.Expr]] = {
    "abs": lambda x: x.abs(),
    "round": lambda x, digits=0: x.round(digits),
    "floor": lambda x: x.floor(),
    "ceil": lambda x: x.ceil(),
    "sqrt": lambda x: x.sqrt(),
    "log": lambda x: x.log(),
    "min": pl.min_horizontal,
    "max": pl.max_horizontal,
    "coalesce": pl.coalesce,
    "is_null": lambda x: x.is_null(),
    "lower": lambda x: x.str.to_lowercase(),
    "upper": lambda x: x.str.to_uppercase(),
    "trim": lambda x: x.str.strip_chars(),
    "length": lambda x: x.str.len_chars().cast(pl.Int64),
    "contains": lambda x, part: x.str.contains(part, literal=True),
    "starts_with": lambda x, part: x.str.starts_with(part),
    "ends_with": lambda x, part: x.str.ends_with(part),
    "matches": lambda x, pattern: x.str.contains(pattern),
    "replace": lambda x, old, new: x.str.replace_all(old, new, literal=True),
    "slice": _slice,
    "concat": lambda *parts: pl.concat_str([part.cast(pl.String) for part in parts]),
    "text": lambda x: x.cast(pl.String),
    "number": lambda x: x.cast(pl.Float64, strict=False),
    "seconds_between": lambda a, b: _between(a, b, 1e6),
    "hours_between": lambda a, b: _between(a, b, 3.6e9),
    "days_between": lambda a, b: _between(a, b, 8.64e10),
    "first": lambda x: x.first().over(_CASE),
    "last": lambda x: x.last().over(_CASE),
    "previous": lambda x: x.shift(1).over(_CASE),
    "next": lambda x: x.shift(-1).over(_CASE),
    "sum_of_case": lambda x: x.sum().over(_CASE),
    "mean_of_case": lambda x: x.mean().over(_CASE),
    "min_of_case": lambda x: x.min().over(_CASE),
    "max_of_case": lambda x: x.max().over(_CASE),
    "count_of_case": lambda x: x.cast(pl.Boolean).sum().cast(pl.Int64).over(_CASE),
    "any_of_case": lambda x: x.cast(pl.Boolean).any().over(_CASE),
    "all_of_case": lambda x: x.cast(pl.Boolean).all().over(_CASE),
}
