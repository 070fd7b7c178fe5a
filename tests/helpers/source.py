"""The source of the studio as syntax trees, for tests about its texts."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

MODULES = Path(__file__).resolve().parents[2] / "modules"


@cache
def trees() -> Mapping[Path, ast.Module]:
    """By the path of the file below `modules`."""
    return {
        path.relative_to(MODULES): ast.parse(path.read_text(encoding="utf-8"))
        for path in MODULES.rglob("*.py")
    }


def error_classes() -> set[str]:
    """The names of StudioError and all that are made from it."""
    known = {"StudioError"}
    bases = {
        node.name: {ast.unparse(base) for base in node.bases}
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    while more := {name for name, of in bases.items() if of & known} - known:
        known |= more
    return known
