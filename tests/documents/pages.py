"""The code blocks of the pages in docs/."""

from __future__ import annotations

import re

from tests.conftest import ROOT


def blocks(page: str, language: str, heading: str = "") -> list[str]:
    """The blocks of a language on docs/`page`, or of one of its sections, in their order."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    if heading:
        text = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
