"""Writes `configs/default.json` and `docs/settings.md` from the class `Settings`.

    python configs/generate.py

A test fails where either differs from what this would write.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from modules.tools.settings_fields import default_values, settings_table  # noqa: E402

if __name__ == "__main__":
    (ROOT / "configs" / "default.json").write_text(default_values(), encoding="utf-8")
    (ROOT / "docs" / "settings.md").write_text(settings_table(), encoding="utf-8")
