"""A notebook's fingerprint: its code, and the companion's code that it reaches.

With it the hidden cases of its exercises, the recorded results that it shows and the
trained networks that it loads. It changes when a result could change, and not with a
comment or a docstring in the companion, nor with the version of Python that computes
it.
"""

import ast
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from notebooks import ROOT, code_cells, tags

PACKAGE = "companion"
# The functions that read a file of a given name, and the folder that it lies in.
READERS = {
    "recorded": "records",
    "recorded_picture": "records",
    "read_card": "pretrained",
    "pretrained": "pretrained",
}
# Fields that say nothing about what the code does, or that differ between versions.
IGNORED_FIELDS = {"ctx", "kind", "type_comment"}
HAS_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def fingerprint(notebook: dict, root: Path = ROOT) -> str:
    """The SHA-256 of a notebook's code cells and of the modules and files they reach.

    The set-up cell is left out: it changes with the repository's address.
    """
    cells = [
        cell["source"].strip()
        for cell in code_cells(notebook)
        if "setup" not in tags(cell)
    ]
    digest = hashlib.sha256()
    for text in cells:
        digest.update(text.encode() + b"\0")
    code = "\n".join(cells)
    modules = reached_modules(code, root)
    for name, tree in sorted(modules.items()):
        digest.update(f"{name}\0{serialise(tree)}\0".encode())
    paths = read_files(_python_only(code), READERS, root)
    for tree in modules.values():
        paths |= read_files(tree, ["pretrained"], root)
    for path in sorted(paths):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def read_files(
    tree: ast.Module, functions: Iterable[str], root: Path = ROOT
) -> set[Path]:
    """The files behind each `recorded(name)`; all of them if a name is computed.

    Likewise for the other functions of READERS.
    """
    return {
        path
        for function in functions
        for name in _first_arguments(tree, function)
        for path in (root / PACKAGE / READERS[function]).glob(f"{name or '*'}.*")
        if path.suffix != ".py"
    }


def _first_arguments(tree: ast.Module, function: str) -> list[str | None]:
    """What a function is given first in each of its calls, None if it is computed."""
    return [
        node.args[0].value
        if node.args and isinstance(node.args[0], ast.Constant)
        else None
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == function
    ]


def serialise(node: object) -> str:
    """A syntax tree as text, the same on every version of Python from 3.10 on."""
    if isinstance(node, list):
        return "[" + ",".join(serialise(item) for item in node) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [
        f"{name}={serialise(value)}"
        for name, value in _fields(node)
        if name not in IGNORED_FIELDS and value is not None and value != []
    ]
    return f"{type(node).__name__}({','.join(fields)})"


def _fields(node: ast.AST) -> Iterator[tuple[str, object]]:
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, HAS_DOCSTRING):
            value = value[1:] if ast.get_docstring(node) is not None else value
        elif isinstance(node, ast.JoinedStr):
            value = _merged(value)
        yield name, value


def _merged(items: list) -> list:
    """The pieces of an f-string without empty text, neighbouring texts made one.

    Versions of Python differ in where they cut its text.
    """
    merged: list = []
    for item in items:
        if _is_text(item) and not item.value:
            continue
        if _is_text(item) and merged and _is_text(merged[-1]):
            merged[-1] = ast.Constant(merged[-1].value + item.value)
        else:
            merged.append(item)
    return merged


def _is_text(item: object) -> bool:
    return isinstance(item, ast.Constant) and isinstance(item.value, str)


def reached_modules(code: str, root: Path = ROOT) -> dict[str, ast.Module]:
    """The companion's modules that code uses, at any depth, with their trees.

    A name that a package's `__init__` only hands on leads to the module that
    defines it, so a chapter depends on what it uses and not on its neighbours.
    """
    found: dict[str, ast.Module] = {}
    tree = _python_only(code)
    waiting = _resolved_imports(tree, PACKAGE, root)
    # check("vae", f) imports companion.exercises.vae by its name.
    exercises = {f"{PACKAGE}.exercises.{c}" for c in _first_arguments(tree, "check")}
    waiting += [name for name in exercises if _path(name, root)]
    waiting += _loaded_networks(tree, root)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _parse(name, root)
            waiting += _resolved_imports(found[name], _package_of(name, root), root)
            waiting += _loaded_networks(found[name], root)
    return found


def _loaded_networks(tree: ast.Module, root: Path) -> list[str]:
    """The modules of the networks that `pretrained` finds named on its cards."""
    cards = [p for p in read_files(tree, ["pretrained"], root) if p.suffix == ".json"]
    networks = [json.loads(p.read_text(encoding="utf-8"))["network"] for p in cards]
    return [network.partition(":")[0] for network in networks]


def _python_only(code: str) -> ast.Module:
    """Parse a notebook's code without the lines that only IPython understands."""
    lines = [re.sub(r"^(\s*)[%!].*", r"\1pass", line) for line in code.splitlines()]
    return ast.parse("\n".join(lines))


def _resolved_imports(tree: ast.Module, package: str, root: Path) -> list[str]:
    """The modules behind every import of the companion in a tree."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [a.name for a in node.names if _path(a.name, root)]
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, package)
            if _path(module, root):
                for alias in node.names:
                    names += _defining(module, alias.name, root)
    return names


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    base = ".".join(parents[: len(parents) - node.level + 1])
    return f"{base}.{node.module}" if node.module else base


def _defining(module: str, name: str, root: Path) -> list[str]:
    """The modules that `from module import name` reaches."""
    if _path(f"{module}.{name}", root) and not _handed_on(module, name, root):
        return [f"{module}.{name}"]
    source = _handed_on(module, name, root)
    return _defining(*source, root) if source else [module]


def _handed_on(module: str, name: str, root: Path) -> tuple[str, str] | None:
    """Where a package's `__init__` takes a name from, if it does not define it."""
    if _path(module, root).name != "__init__.py":
        return None
    for node in _parse(module, root).body:
        if isinstance(node, ast.ImportFrom):
            source = _absolute(node, module)
            for alias in node.names:
                if (alias.asname or alias.name) == name and _path(source, root):
                    return None if source == module else (source, alias.name)
    return None


def _path(module: str, root: Path) -> Path | None:
    """The file of one of the companion's modules, or None for any other."""
    parts = module.split(".")
    if parts[0] != PACKAGE:
        return None
    base = root.joinpath(*parts)
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.exists():
            return path
    return None


def _package_of(module: str, root: Path) -> str:
    path = _path(module, root)
    return module if path.name == "__init__.py" else module.rpartition(".")[0]


def _parse(module: str, root: Path) -> ast.Module:
    return ast.parse(_path(module, root).read_text(encoding="utf-8"))
