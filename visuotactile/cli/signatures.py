"""Signatures and docstrings of functions and classes, read from their source without importing it.

Importing a command takes seconds, mostly for PyTorch; help, misspelt options and wrong paths are answered
without it. The source is parsed, and only the annotations, defaults and constants that a signature names are
evaluated. Names are followed through our own modules; the standard library is imported; other names, and our
own classes and functions, become `Foreign`, whose values cannot be typed.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

REQUIRED = inspect.Parameter.empty
"""Default of a parameter that has none."""


class _ForeignType(type):
    """Attributes, items and calls of `Foreign` are `Foreign` again: `NDArray[np.int64]`, `Reader()`."""

    def __getattr__(cls, name: str) -> type:
        if name.startswith("_"):
            raise AttributeError(name)
        return cls

    def __getitem__(cls, key: object) -> type:
        return cls

    def __call__(cls, *args: object, **named: object) -> Any:
        return cls


class Foreign(metaclass=_ForeignType):
    """Placeholder for classes and functions that are not imported.

    Attributes:
        path: MODULE:NAME of one of ours, and empty otherwise.
    """

    path = ""


@dataclass(frozen=True)
class Parameter:
    """One parameter: its evaluated annotation, its default (or `REQUIRED`), and its line under `Args:`."""

    name: str
    annotation: Any
    default: Any
    help: str


@dataclass(frozen=True)
class Signature:
    """Signature of a function, of a class's constructor, or of a dataclass.

    Attributes:
        summary: first paragraph of the docstring, in one line.
        parameters: by name, without `self`, `*args` and `**kwargs`.
        takes_more: it takes `**kwargs`, or inherits its constructor.
    """

    summary: str
    parameters: dict[str, Parameter]
    takes_more: bool


@functools.cache
def read(path: str) -> Signature:
    """The signature of `MODULE:NAME`.

    Raises:
        LookupError: there is no such module or name.
    """
    module, _, name = path.partition(":")
    module, node = _definition(module, name)
    doc = ast.get_docstring(node) or ""
    if isinstance(node, ast.ClassDef):
        made = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
        if not made:
            return _inherited(module, node, doc)
        node = made[0]
        doc += "\n\n" + (ast.get_docstring(node) or "")
    names, given, texts = names_of(module), node.args, _texts(module, doc)
    ordered = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    first = len(given.posonlyargs + given.args) - len(given.defaults)
    defaults = [None] * first + given.defaults + given.kw_defaults
    return Signature(
        _first_paragraph(doc),
        {
            arg.arg: Parameter(
                arg.arg,
                names.value(arg.annotation) if arg.annotation else Any,
                names.value(default) if default else REQUIRED,
                texts.get(arg.arg, ""),
            )
            for arg, default in zip(ordered, defaults, strict=True)
            if arg.arg != "self"
        },
        takes_more=given.kwarg is not None,
    )


def _inherited(module: str, node: ast.ClassDef, doc: str) -> Signature:
    """Signature of a class without a constructor: a dataclass's fields, or its first base's constructor."""
    if node.bases and not node.decorator_list:
        base = names_of(module).value(node.bases[0])
        if isinstance(base, type) and issubclass(base, Foreign) and base.path:
            return replace(read(base.path), summary=_first_paragraph(doc))
    names, texts = names_of(module), _texts(module, doc)
    fields = {
        each.target.id: Parameter(
            each.target.id,
            names.value(each.annotation),
            names.value(each.value) if each.value else REQUIRED,
            texts.get(each.target.id, ""),
        )
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    return Signature(_first_paragraph(doc), fields, takes_more=bool(node.bases) or not fields)


def loaded(path: str) -> Any:
    """The object at MODULE:NAME, whose import may take some seconds."""
    from visuotactile.progress import working

    with working("loading", show=sys.stderr.isatty()):
        return pkgutil.resolve_name(path)


def _first_paragraph(doc: str) -> str:
    return " ".join(doc.partition("\n\n")[0].split())


def _texts(module: str, doc: str) -> dict[str, str]:
    """Descriptions, where "as in `NAME`" stands for that of NAME's parameter of the same name."""
    found = described(doc)
    for name, text in found.items():
        if there := re.fullmatch(r"as in `(\w+)`", text):
            found[name] = read(names_of(module)[there[1]].path).parameters[name].help
    return found


def described(doc: str) -> dict[str, str]:
    """Parameter → its description in the `Args:` section of a docstring, in one line.

    >>> described("Do it.\\n\\nArgs:\\n    a: one\\n        thing.\\n    b: two.\\n\\nRaises:\\n    C: no.")
    {'a': 'one thing', 'b': 'two'}
    """
    found: dict[str, str] = {}
    for section in re.findall(r"^Args:\n((?:(?: .*)?\n?)*)", doc, re.MULTILINE):
        for name, text in re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", section, re.MULTILINE):
            found[name] = " ".join(text.split()).removesuffix(".")
    return found


class Names(dict[str, Any]):
    """The names of a module, each evaluated on first use."""

    def __init__(self, module: str) -> None:
        self.module, self.tree = module, _parsed(module)

    def value(self, expression: ast.expr) -> Any:
        """Value of an expression in the module."""
        return eval(compile(ast.Expression(expression), self.module, "eval", dont_inherit=True), {}, self)

    def __missing__(self, name: str) -> Any:
        """Evaluate a name at its last binding in the module; otherwise it is a builtin."""
        for node in reversed(list(_statements(self.tree))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
                return self._keep(name, type(name, (Foreign,), {"path": f"{self.module}:{name}"}))
            if isinstance(node, ast.Assign) and any(ast.unparse(to) == name for to in node.targets):
                return self._keep(name, self.value(node.value))
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name and node.value:
                return self._keep(name, self.value(node.value))
            if isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name.partition(".")[0]) == name:
                        return self._keep(name, _imported(node, alias.name))
        raise KeyError(name)

    def _keep(self, name: str, value: Any) -> Any:
        self[name] = value
        return value


names_of = functools.cache(Names)
"""Names of each module, by its dotted name."""


def _imported(node: ast.Import | ast.ImportFrom, name: str) -> Any:
    module = name if isinstance(node, ast.Import) else node.module or ""
    root = module.partition(".")[0]
    if root == __name__.partition(".")[0] and isinstance(node, ast.ImportFrom):
        return names_of(module).get(name) or names_of(module)[name]
    if root not in sys.stdlib_module_names:
        return Foreign
    found = importlib.import_module(module)
    return getattr(found, name) if isinstance(node, ast.ImportFrom) else importlib.import_module(root)


def _definition(module: str, name: str) -> tuple[str, ast.FunctionDef | ast.ClassDef]:
    """The module that defines a name which `module` defines or imports, and the definition."""
    for node in _statements(_parsed(module)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _definition(node.module, alias.name)
    raise LookupError(f"{module} has no {name}")


def _statements(tree: ast.Module) -> list[ast.stmt]:
    """The module's statements, those under `if TYPE_CHECKING` among them."""
    return [each for node in tree.body for each in (node.body if isinstance(node, ast.If) else [node])]


@functools.cache
def _parsed(module: str) -> ast.Module:
    root, *rest = module.split(".")
    spec = importlib.util.find_spec(root)  # of the root alone: finding a submodule would import its package
    for folder in (spec and spec.submodule_search_locations) or ():
        place = Path(folder, *rest)
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.is_file():
                return ast.parse(file.read_text(encoding="utf-8"))
    raise LookupError(f"there is no module {module}")
