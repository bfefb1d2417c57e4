"""Every place of the package that makes an error, with the codes it can give, read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cspbench import errors

PACKAGE = Path(errors.__file__).parent
TREE = {
    name: each
    for name, each in vars(errors).items()
    if isinstance(each, type) and issubclass(each, errors.CspbenchError)
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Site:
    """A call that makes an error or hands a code on: its class (None: a helper), each code and its words."""

    where: str
    kind: str | None
    codes: tuple[tuple[str, str | None], ...]


@dataclass
class Module:
    """One file: which of its names take a code, at which place among the arguments, and what is wrong in it."""

    name: str
    tree: ast.Module
    takes: dict[str, int] = field(default_factory=dict)
    sites: list[Site] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def read(sources: dict[str, str]) -> tuple[list[Site], list[str]]:
    """The sites of modules, by their dotted names, and every place where an error has no literal code."""
    modules = {name: Module(name, ast.parse(text)) for name, text in sources.items()}
    for module in modules.values():
        module.takes = dict(_takers(module.tree))
    for module in modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom) and node.module in modules:
                there = modules[node.module].takes
                module.takes |= {
                    each.asname or each.name: there[each.name] for each in node.names if each.name in there
                }
    for module in modules.values():
        _visit(module, module.tree, [])
    return [site for each in modules.values() for site in each.sites], [
        line for m in modules.values() for line in m.wrong
    ]


def package() -> dict[str, str]:
    """The package's sources, without the exceptions and the lists of codes."""
    codes = PACKAGE / "error_codes"
    paths = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "errors.py" and codes not in path.parents]
    names = [".".join(("cspbench", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in paths]
    return {name: path.read_text(encoding="utf-8") for name, path in zip(names, paths, strict=True)}


def _takers(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Functions with a parameter `code` and record classes with such a field, unless it may be absent; its place."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            names = [arg.arg for arg in node.args.args if arg.arg not in ("self", "cls")]
            if "code" in names:
                yield node.name, names.index("code")
        if isinstance(node, ast.ClassDef):
            fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
            names = [each.target.id for each in fields if isinstance(each.target, ast.Name)]
            if "code" in names and fields[names.index("code")].value is None:
                yield node.name, names.index("code")


def _visit(module: Module, node: ast.AST, around: list[Function]) -> None:
    if isinstance(node, Function):
        around = [*around, node]
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name) and node.exc.id in TREE:
        module.wrong.append(f"{module.name}, line {node.lineno}: {node.exc.id} without a code")
    if isinstance(node, ast.Call):
        _call(module, node, around)
    for child in ast.iter_child_nodes(node):
        _visit(module, child, around)


def _call(module: Module, call: ast.Call, around: list[Function]) -> None:
    name = _called(call.func)
    again = isinstance(call.func, ast.Call) and _called(call.func.func) == "type"  # type(error)(...)
    if not again and name not in TREE and name not in module.takes:
        return
    where = f"{module.name}, line {call.lineno}"
    at = module.takes.get(name or "", 0)
    given = next((keyword.value for keyword in call.keywords if keyword.arg == "code"), None)
    given = given or (call.args[at] if len(call.args) > at and not isinstance(call.args[at], ast.Starred) else None)
    codes = None if given is None else _texts(given, around)
    if codes is None or any("{}" in code for code in codes) or (again and codes):
        module.wrong.append(f"{where}: {name or 'an error'} without a literal code")
        return
    words = _texts(call.args[at + 1], around) if len(call.args) > at + 1 else None
    paired = words if words and len(words) == len(codes) else [None] * len(codes)
    module.sites.append(Site(where, name if name in TREE else None, tuple(zip(codes, paired, strict=True))))


def _called(function: ast.expr) -> str | None:
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else None


def _texts(node: ast.expr, around: list[Function]) -> list[str] | None:
    """What an expression can be: texts, nothing where callers or another error decide, None where nobody can say."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(value.value) if isinstance(value, ast.Constant) else "{}" for value in node.values)]
    if isinstance(node, ast.IfExp):
        both = [_texts(node.body, around), _texts(node.orelse, around)]
        return None if None in both else [text for each in both for text in each or []]
    if isinstance(node, ast.Attribute) and node.attr == "code" and isinstance(node.value, ast.Name):
        return [] if _holds_a_code(node.value.id, around) else None
    if isinstance(node, ast.Name) and around:
        if node.id in [arg.arg for arg in around[-1].args.args]:
            return [] if node.id in ("code", "what") else None
        result = list(_assigned(node.id, around[-1]))
        texts = [_texts(each, around) for each in result if not isinstance(each, ast.Name)]
        return (
            None
            if not texts or None in texts or len(texts) < len(result)
            else [x for each in texts for x in each or []]
        )
    return None


def _holds_a_code(name: str, around: list[Function]) -> bool:
    """Whether a name is self, an error that was caught, or a parameter that is annotated as an error."""
    if name == "self":
        return True
    for function in around:
        handlers = [node.name for node in ast.walk(function) if isinstance(node, ast.ExceptHandler)]
        errors_given = [arg.arg for arg in function.args.args if arg.annotation and ast.unparse(arg.annotation) in TREE]
        if name in (*handlers, *errors_given):
            return True
    return False


def _values(name: str, function: Function) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _part(name, target, node.value)


def _assigned(name: str, function: Function) -> Iterator[ast.expr]:
    """The expressions that a local name gets its value from: assignments, and loops over tuples that have a name."""
    yield from _values(name, function)
    for node in ast.walk(function):
        if isinstance(node, ast.For) and isinstance(node.iter, ast.Name):
            for row in _values(node.iter.id, function):
                if isinstance(row, ast.Tuple | ast.List):
                    for elt in row.elts:
                        yield from _part(name, node.target, elt)


def _part(name: str, target: ast.expr, value: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for inner, each in zip(target.elts, value.elts, strict=True):
            yield from _part(name, inner, each)
