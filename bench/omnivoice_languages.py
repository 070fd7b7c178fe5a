"""The languages of OmniVoice, as the catalog and the names of languages have them.

    python -m bench.omnivoice_languages lang_id_name_map.tsv

The table is docs/lang_id_name_map.tsv of https://github.com/k2-fsa/OmniVoice at the version of
the package, whose own `lang_map.py` is made of it; a test compares the two. The catalog lists the
codes by hours of training data, most first. Names that CLDR lacks are kept in
modules/core_components/text/rarer_languages.json.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from babel import Locale

from modules.core_components.settings import app_folder

ROOT = app_folder()
CATALOG = ROOT / "configs/models.toml"
NAMES = ROOT / "modules/core_components/text/rarer_languages.json"
_FAMILY = re.compile(
    r"(\[family\.omnivoice\]\n(?:(?!\n\[).)*?\nlanguages = \[)[^\]]*(\])", re.DOTALL
)


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows, those with the most training data first."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return sorted(rows, key=lambda row: (-float(row["train_data_duration"]), row["language_id"]))


def with_languages(catalog: str, codes: Sequence[str]) -> str:
    """The catalog's text with these languages of the family."""
    listed = ", ".join(f'"{code}"' for code in codes)
    block = textwrap.fill(listed, 98, initial_indent="  ", subsequent_indent="  ")
    changed, count = _FAMILY.subn(rf"\1\n{block},\n\2", catalog)
    if count != 1:
        raise SystemExit("The catalog has no languages of [family.omnivoice].")
    return changed


def main() -> None:
    rows = read_table(Path(sys.argv[1]))
    known = Locale("en").languages
    names = {row["language_id"]: row["language_name"] for row in rows}
    rarer = {code: names[code] for code in sorted(names) if code not in known}
    NAMES.write_text(json.dumps(rarer, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    catalog = CATALOG.read_text(encoding="utf-8")
    CATALOG.write_text(
        with_languages(catalog, [row["language_id"] for row in rows]), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
