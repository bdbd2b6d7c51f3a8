"""Our source as data, for the tests of its shape: files, lines, syntax trees, imports."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = (
    "betcore_launcher",
    "settings",
    "logs",
    "metrics",
    "models",
    "broker",
    "workers",
    "server",
    "api",
    "embedded",
    "outbound",
    "ops",
    "bench",
    "kit",
)

_ROOT_MODULES = ("betcore_launcher.py",)
Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = Function | ast.ClassDef
Found = Iterator[str]

# Whatever else lies in the root was made here, or is the user's own.
_FOLDERS = (*OURS, "tests", "docs", "deploy", ".ci", ".github")
_NOT_OURS = {".env", ".git"}
#: Folders that Python and pip make, also inside ours.
_MADE = {"__pycache__", "build"}


@cache
def files(*suffixes: str) -> tuple[Path, ...]:
    """Our files with one of these suffixes; without any, all that hold text."""
    found = [path for path in _all() if not suffixes or path.suffix in suffixes]
    return tuple(path for path in found if _is_text(path))


def ours() -> list[Path]:
    """The modules of our packages, without the tests."""
    return [path for path in files(".py") if is_in(path, [*OURS, *_ROOT_MODULES])]


def of_tests() -> list[Path]:
    """The modules of the tests and of what they share."""
    return [path for path in files(".py") if is_in(path, ["tests"])]


def is_in(path: Path, places: Iterable[str]) -> bool:
    """Whether a file is one of these files, or in one of these folders."""
    name = path.relative_to(ROOT).as_posix()
    return any(name == place or name.startswith(f"{place}/") for place in places)


def where(path: Path, line: int = 1) -> str:
    """A place as editors and terminals know it."""
    return f"{path.relative_to(ROOT).as_posix()}:{line}"


@cache
def lines(path: Path) -> list[str]:
    """The lines of a file."""
    return path.read_text().splitlines()


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that a module imports, also inside functions and by name: line and full name."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parent.parts
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            yield node.lineno, ".".join(filter(None, [base, node.module]))
        elif isinstance(node, ast.Call) and name_of(node) in ("import_module", "__import__"):
            name = node.args[0] if node.args else None
            yield node.lineno, str(name.value) if isinstance(name, ast.Constant) else "anything"


def functions(path: Path) -> Iterator[Function]:
    """Every function and method of a module, also those inside others."""
    for node in ast.walk(tree(path)):
        if isinstance(node, Function):
            yield node


def public(node: ast.Module | ast.ClassDef) -> Iterator[Documented]:
    """The functions, classes and methods that others may use.

    Methods of a class with a base are left out: they may be the base's, promised there.
    """
    for child in node.body:
        if isinstance(child, Documented) and not child.name.startswith("_"):
            yield child
            if isinstance(child, ast.ClassDef) and not child.bases:
                yield from public(child)


def polling(path: Path) -> Iterator[ast.While]:
    """The loops that look at a condition again and again, and assert a deadline."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.While) and any(isinstance(n, ast.Assert) for n in node.body):
            yield node


def name_of(call: ast.Call) -> str:
    """The last name of what is called: `commit` of `session.commit()`."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def assert_none(faults: Iterable[str], rule: str) -> None:
    """Fail with the rule and every place that breaks it."""
    found = list(faults)
    assert not found, "\n".join([f"{rule}:", *found])


def _all() -> Iterator[Path]:
    own = (path for path in sorted(ROOT.iterdir()) if path.name not in _NOT_OURS)
    yield from (path for path in own if path.is_file())
    for folder in _FOLDERS:
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if path.is_file())


def _is_text(path: Path) -> bool:
    if _MADE & {*path.parts}:
        return False
    try:
        return bool(path.read_text()) or path.suffix == ".py"
    except UnicodeDecodeError:
        return False
