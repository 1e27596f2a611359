"""The small changes of Python that a slip makes: what may replace a node of the syntax tree."""

import ast
from collections.abc import Iterator

COMPARISONS: dict[type[ast.cmpop], str] = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
SIGNS: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.Is: "is"}
OPPOSITES: dict[type[ast.cmpop], str] = {ast.Eq: "!=", ast.Is: "is not"}
OTHER_OPERATORS: dict[type[ast.boolop], type[ast.boolop]] = {ast.And: ast.Or, ast.Or: ast.And}
# Keywords of libraries, which change no behaviour or break every test.
NO_OPTIONS = {"frozen", "slots", "kw_only", "strict", "init", "repr", "eq", "compare", "include_in_schema", "exc_info"}


def options_of(tree: ast.Module) -> set[ast.AST]:
    """The values True and False that are arguments, defaults or results."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg=name, value=value) if name not in NO_OPTIONS:
                found.add(value)
            case ast.arguments():
                found.update(each for each in (*node.defaults, *node.kw_defaults) if each is not None)
            case ast.Return(value=ast.Constant() as value) | ast.AnnAssign(value=ast.Constant() as value):
                found.add(value)
    return found


def changes_of(node: ast.AST, was: str, *, is_option: bool) -> Iterator[tuple[str, str]]:
    """The texts that may replace this node, with their kinds; `is_option` is for one of `options_of`."""
    match node:
        case ast.Compare():
            yield from _comparisons(node, was)
        case ast.BoolOp():
            yield from _connectives(node)
        case ast.Call():
            yield from _calls(node, was)
        case ast.If(test=test) | ast.IfExp(test=test) if not isinstance(test, ast.NamedExpr):
            yield from _replaced(was, ast.unparse(test), f"not ({ast.unparse(test)})")
        case ast.Expr(value=ast.Await(value=ast.Call()) | ast.Call()) if not was.startswith("log."):
            yield "pass", "audit" if "record" in was else "omission"
        case ast.Attribute():
            yield from _constants_of_classes(node)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=ast.Constant(value=1)):
            yield ast.unparse(left), "number"
        case ast.Constant(value=bool(value)) if is_option:
            yield str(not value), "option"
        case ast.Constant(value=int(number)) if not isinstance(number, bool) and number > 1:
            yield str(number + 1), "number"


def _comparisons(node: ast.Compare, was: str) -> Iterator[tuple[str, str]]:
    match node.ops:
        case [ast.Eq()] if "organization_id" in was:
            left = was.partition(" == ")[0]
            yield f"{left} == {left}", "tenant"
        case [op] if type(op) in COMPARISONS:
            yield was.replace(f" {SIGNS[type(op)]} ", f" {COMPARISONS[type(op)]} ", 1), "boundary"
        case [op] if type(op) in OPPOSITES and "__name__" not in was:
            yield was.replace(f" {SIGNS[type(op)]} ", f" {OPPOSITES[type(op)]} ", 1), "condition"


def _connectives(node: ast.BoolOp) -> Iterator[tuple[str, str]]:
    """Each operand left out, and the other operator."""
    for left_out in node.values:
        rest = [each for each in node.values if each is not left_out]
        yield f"({ast.unparse(ast.BoolOp(node.op, rest) if len(rest) > 1 else rest[0])})", "condition"
    yield f"({ast.unparse(ast.BoolOp(OTHER_OPERATORS[type(node.op)](), node.values))})", "condition"


def _constants_of_classes(node: ast.Attribute) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Attribute(value=ast.Name(id="Action"), attr=name):
            yield f"Action.{'UPDATED' if name != 'UPDATED' else 'CREATED'}", "audit"
        case ast.Attribute(value=ast.Name(id="FunctionPoint"), attr=name):
            other = "STOREFRONT_REDEEM" if name != "STOREFRONT_REDEEM" else "PARTNER_MANAGE_VOUCHERS"
            yield f"FunctionPoint.{other}", "right"


def _replaced(was: str, old: str, new: str) -> Iterator[tuple[str, str]]:
    if was.count(old) == 1:
        yield was.replace(old, new), "condition"


def _calls(call: ast.Call, was: str) -> Iterator[tuple[str, str]]:
    match call.func:
        case ast.Name(id="min" | "max" as name):
            yield was.replace(name, "max" if name == "min" else "min", 1), "number"
        case ast.Attribute(value=receiver, attr="with_for_update"):
            yield ast.unparse(receiver), "lock"
        case ast.Attribute(value=receiver, attr="desc"):
            yield ast.unparse(receiver), "order"
        case ast.Attribute(attr="order_by") if isinstance(call.args[0], ast.Attribute):
            first = ast.Call(ast.Attribute(call.args[0], "desc"), [], [])
            yield ast.unparse(ast.Call(call.func, [first, *call.args[1:]], call.keywords)), "order"
        case ast.Attribute(value=receiver, attr="where"):
            for left_out in filter(_is_condition, call.args):
                rest: list[ast.expr] = [each for each in call.args if each is not left_out]
                yield ast.unparse(ast.Call(call.func, rest, []) if rest else receiver), "filter"


def _is_condition(argument: ast.expr) -> bool:
    """Whether an argument is one condition that is not about the organization, whose slips are of another kind."""
    return not isinstance(argument, ast.Starred) and "organization_id" not in ast.unparse(argument)
