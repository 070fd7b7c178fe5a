"""Every package that the code imports itself stands in requirements.txt, with a bound."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

# Ours, and what only type checkers, optional accelerators or their own installation bring.
OWN = {"modules", "installer", "tests", "configs"}
OPTIONAL = {
    "bitsandbytes": "requirements-cuda.txt has it",
    "deepspeed": "an accelerator that users install by themselves",
    "ray": "requirements-cluster.txt has it",
    "flash_attn": "an accelerator that users install by themselves",
    "tensorboard": "curves for a program that users install by themselves",
    "typing_extensions": "for type checkers alone",
}


def imported(path: Path) -> Iterator[str]:
    """The top-level packages that a file imports, but for those of type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for part in node.body
        for inner in ast.walk(part)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value.partition(".")[0]


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required() -> dict[str, str]:
    """The packages of requirements.txt with their bounds."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = (line.partition("#")[0].partition(";")[0].strip() for line in lines)
    pairs = (re.match(r"([\w.-]+)(?:\[[\w,]+\])?(.*)", line) for line in wanted if line)
    return {normalized(pair[1]): pair[2].strip() for pair in pairs if pair}


def test_what_is_imported_is_required() -> None:
    distributions = importlib.metadata.packages_distributions()
    known = required()
    lacking: dict[str, set[str]] = {}
    for path in (ROOT / "modules").rglob("*.py"):
        for name in imported(path):
            if name in sys.stdlib_module_names or name in OWN or name in OPTIONAL:
                continue
            own = {normalized(one) for one in distributions.get(name, [name])}
            if not own & known.keys():
                lacking.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    assert not lacking, "\n".join(f"{name}: {sorted(files)}" for name, files in lacking.items())


def test_every_requirement_has_a_bound() -> None:
    assert [name for name, bound in required().items() if not bound] == []
