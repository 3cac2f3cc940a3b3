"""Own expressions, as far as they can be judged without data: parsed with `ast`, then held against a short list of what
may occur. Nothing is ever evaluated as Python.

An expression is columns, literals, arithmetic, comparisons, `and`/`or`/`not`, `in [...]`, `a if condition else b` and
the functions below. Attributes, indexes, lambdas and any other call are refused, with their place. Pure.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from lodestream_server.workloads.enrichment.faults import fault, unknown
from lodestream_server.workloads.phase import BadInput

#: Characters of one expression, and expressions of one run.
LONGEST, MOST = 2_000, 100
#: Nesting that is still compiled; polars walks its expressions recursively.
DEEPEST = 40
#: Integers and rows are 64 bits wide.
_WIDEST = 1 << 63

#: Functions by name: fewest and most arguments, and which of them (from 0) must be literals.
FUNCTIONS: Mapping[str, tuple[int, int, tuple[int, ...]]] = {
    "abs": (1, 1, ()),
    "round": (1, 2, (1,)),
    "floor": (1, 1, ()),
    "ceil": (1, 1, ()),
    "sqrt": (1, 1, ()),
    "log": (1, 1, ()),
    "min": (2, 20, ()),
    "max": (2, 20, ()),
    "coalesce": (2, 20, ()),
    "is_null": (1, 1, ()),
    "lower": (1, 1, ()),
    "upper": (1, 1, ()),
    "trim": (1, 1, ()),
    "length": (1, 1, ()),
    "contains": (2, 2, (1,)),
    "starts_with": (2, 2, (1,)),
    "ends_with": (2, 2, (1,)),
    "matches": (2, 2, (1,)),
    "replace": (3, 3, (1, 2)),
    "slice": (2, 3, (1, 2)),
    "concat": (2, 20, ()),
    "text": (1, 1, ()),
    "number": (1, 1, ()),
    "date": (1, 1, (0,)),
    "year": (1, 1, ()),
    "month": (1, 1, ()),
    "day": (1, 1, ()),
    "hour": (1, 1, ()),
    "minute": (1, 1, ()),
    "weekday": (1, 1, ()),
    "seconds_between": (2, 2, ()),
    "hours_between": (2, 2, ()),
    "days_between": (2, 2, ()),
    "first": (1, 1, ()),
    "last": (1, 1, ()),
    "previous": (1, 1, ()),
    "next": (1, 1, ()),
    "sum_of_case": (1, 1, ()),
    "mean_of_case": (1, 1, ()),
    "min_of_case": (1, 1, ()),
    "max_of_case": (1, 1, ()),
    "count_of_case": (1, 1, ()),
    "any_of_case": (1, 1, ()),
    "all_of_case": (1, 1, ()),
    "col": (1, 1, (0,)),
}

_OPERATORS = (
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow),
    *(ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn),
    *(ast.And, ast.Or, ast.Not, ast.UAdd, ast.USub),
)
_NODES = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Name, ast.Constant, ast.Load)

#: What a refused piece of syntax is called.
_REFUSED: Mapping[type[ast.AST], str] = {
    ast.Attribute: "attributes (a.b) are not available",
    ast.Subscript: "indexes (a[b]) are not available",
    ast.Lambda: "functions cannot be defined",
    ast.NamedExpr: "nothing can be assigned",
    ast.Is: "use is_null(x) instead of is",
    ast.IsNot: "use not is_null(x) instead of is not",
    ast.JoinedStr: "use concat(…) instead of f-strings",
    ast.List: "a list can only stand after in",
    ast.Tuple: "a list can only stand after in",
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression: the name of its column, its place in the parameters, and the tree."""

    name: str
    field: str
    text: str
    tree: ast.expr

    def columns(self) -> Iterator[tuple[str, ast.expr]]:
        """The columns that it names, with their nodes."""
        called = {id(node.func) for node in ast.walk(self.tree) if isinstance(node, ast.Call)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name) and id(node) not in called:
                yield node.id, node
            elif column := column_called(node):
                yield column

    def wrong(self, node: ast.AST, text: str) -> BadInput:
        """The error about a place in it."""
        column = len(self.text.encode()[: getattr(node, "col_offset", 0)].decode(errors="ignore")) + 1
        return fault(self.field, f"at character {column}: {text}", "BAD_EXPRESSION")


def column_called(node: ast.AST) -> tuple[str, ast.expr] | None:
    """The name in `col("a name with spaces")`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "col":
        name = node.args[0]
        return (name.value, node) if isinstance(name, ast.Constant) and isinstance(name.value, str) else None
    return None


def expressions_of(parameters: Mapping[str, Any]) -> tuple[Expression, ...]:
    """The expressions in `parameters.expressions` (name of the column -> expression), each after those it names.

    Raises BadInput for what is not allowed, with the place, and for expressions that need each other.
    """
    given = parameters.get("expressions")
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        raise fault("parameters.expressions", "must be an object of column names and expressions", "BAD_EXPRESSION")
    if len(given) > MOST:
        raise fault("parameters.expressions", f"must not hold more than {MOST} expressions", "BAD_EXPRESSION")
    found = {name: parse(name, text) for name, text in sorted(given.items())}
    needs = {name: [column for column, _ in item.columns() if column in found] for name, item in found.items()}
    try:
        return tuple(found[name] for name in TopologicalSorter(needs).static_order())
    except CycleError as circle:
        names = " → ".join(reversed(circle.args[1]))
        raise fault("parameters.expressions", f"need each other: {names}", "BAD_EXPRESSION") from circle


def parse(name: str, text: object) -> Expression:
    """One expression. Raises BadInput."""
    field = f"parameters.expressions.{name[:60]}"
    if not name.strip():
        raise fault(field, "needs a name for its column", "BAD_EXPRESSION")
    if not isinstance(text, str) or not text.strip():
        raise fault(field, "must be an expression as a text", "BAD_EXPRESSION")
    if len(text) > LONGEST:
        raise fault(field, f"must not be longer than {LONGEST:,} characters", "BAD_EXPRESSION")
    line = " ".join(text.splitlines()) if "\n" in text or "\r" in text else text
    stripped = line.lstrip()
    try:
        tree = ast.parse(stripped, mode="eval").body
    except SyntaxError as wrong:
        place = (wrong.offset or len(stripped) + 1) + len(line) - len(stripped)
        raise fault(field, f"at character {place}: {wrong.msg}", "BAD_EXPRESSION") from wrong
    except (ValueError, RecursionError, MemoryError) as wrong:
        raise fault(
            field, "is nested too deeply or holds characters that cannot stand there", "BAD_EXPRESSION"
        ) from wrong
    expression = Expression(name, field, stripped, tree)
    _check(expression, tree, tree, 1)
    return expression


def _check(expression: Expression, node: ast.AST, place: ast.AST, depth: int) -> None:
    """`place`: the nearest node that knows where it stands; operators do not."""
    if depth > DEEPEST:
        raise expression.wrong(place, f"is nested more than {DEEPEST} deep: split it into several columns")
    if not isinstance(node, (*_NODES, *_OPERATORS)):
        raise expression.wrong(place, _REFUSED.get(type(node), f"{_named(node)} is not available here"))
    children = list(ast.iter_child_nodes(node))
    match node:
        case ast.Constant():
            _check_constant(expression, node)
        case ast.Call():
            _check_call(expression, node)
            children = list(node.args)
        case ast.Compare():
            _check_compare(expression, node)
            lists = (ast.List, ast.Tuple)  # literals only, as the comparison's check has seen
            children = [child for child in children if child is node.left or not isinstance(child, lists)]
    for child in children:
        _check(expression, child, child if hasattr(child, "col_offset") else place, depth + 1)


def _named(node: ast.AST) -> str:
    return type(node).__name__


def _check_constant(expression: Expression, node: ast.Constant) -> None:
    value = node.value
    if value is not None and not isinstance(value, bool | int | float | str):
        raise expression.wrong(node, "only numbers, texts, True, False and None can be written here")
    if isinstance(value, int) and abs(value) >= _WIDEST:
        raise expression.wrong(node, "the number is too large for 64 bits")


def _check_call(expression: Expression, node: ast.Call) -> None:
    if not isinstance(node.func, ast.Name):
        raise expression.wrong(node, "only the listed functions can be called, by their bare names")
    name = node.func.id
    if name not in FUNCTIONS:
        raise expression.wrong(node, unknown(name, FUNCTIONS, "function here"))
    fewest, most, literals = FUNCTIONS[name]
    if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
        raise expression.wrong(node, f"{name} takes its arguments by place only")
    if not fewest <= len(node.args) <= most:
        wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
        raise expression.wrong(node, f"{name} takes {wanted} arguments, not {len(node.args)}")
    for place in literals:
        if place < len(node.args) and literal(node.args[place]) is None:
            raise expression.wrong(
                node.args[place], f"argument {place + 1} of {name} must be written out, not computed"
            )


def _check_compare(expression: Expression, node: ast.Compare) -> None:
    for operator, right in zip(node.ops, node.comparators, strict=True):
        if isinstance(operator, ast.In | ast.NotIn):
            listed = isinstance(right, ast.List | ast.Tuple) and right.elts
            if not listed or any(literal(item) is None for item in listed):
                raise expression.wrong(right, "after in stands a list of numbers or texts, such as [1, 2]")
        elif isinstance(right, ast.List | ast.Tuple):
            raise expression.wrong(right, "a list can only stand after in")


def literal(node: ast.expr) -> Any:
    """The value written there, a minus sign included; None for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = node.operand.value
        return -value if isinstance(value, int | float) and not isinstance(value, bool) else None
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float) else None
