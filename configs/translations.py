"""Writes the catalogs of the page's languages, `modules/core_components/texts/*.po`.

    python configs/translations.py

Texts that are new are added without a translation, those that are gone are taken out. What stands
in `_("...")`, `ngettext` and `mark` of the code and the templates, in `translate("...")` of the
scripts and as label and help of an option or a setting is found by babel; the notes about models
are those of `configs/models.toml`. A test fails where a catalog lacks a text, or a value in it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from modules.core_components.ai_models.catalog import Catalog as Models  # noqa: E402
from modules.core_components.settings import app_folder  # noqa: E402
from modules.core_components.texts import CATALOGS, ENGLISH, LANGUAGES  # noqa: E402
from modules.core_components.version import APP_VERSION  # noqa: E402

MODULES = ROOT / "modules"
_METHODS = [
    ("**.py", "python"),
    ("ui/templates/**.html", "jinja2"),
    ("ui/static/js/**.js", "javascript"),
    ("ui/static/player/**.js", "javascript"),
]
_OPTIONS = {"ui/templates/**.html": {"trimmed": "true"}}
# By function, where its text stands among the arguments; a label and its help are two texts.
_TEXTS = {"_": None, "ngettext": (1, 2), "mark": None, "translate": None}
_LABELS = {"option": (2,), "_setting": (3,)}
_HELPS = {"option": (3,), "_setting": (4,)}
WIDTH = 100


def wanted_messages() -> Catalog:
    """All texts of the studio, with the files that have them, without translations."""
    catalog = Catalog(fuzzy=False)
    for keywords in (_TEXTS, _LABELS, _HELPS):
        found = extract_from_dir(
            MODULES,
            _METHODS,
            _OPTIONS,
            keywords=keywords,
            comment_tags=("TRANSLATORS:",),
            directory_filter=lambda folder: not Path(folder).name.startswith((".", "__")),
        )
        for file, _line, message, comments, _context in found:
            catalog.add(message, locations=[(f"modules/{file}", 0)], auto_comments=comments)
    models = Models.load(app_folder() / "configs" / "models.toml", app_folder())
    for entry in models.entries():
        for note in filter(None, (entry.note, entry.licence.note)):
            catalog.add(note, locations=[("configs/models.toml", 0)])
    return catalog


def updated(language: str) -> Catalog:
    """The catalog of a language with all texts of now."""
    path = CATALOGS / f"{language}.po"
    if path.exists():
        with path.open("rb") as file:
            catalog = read_po(file, locale=language)
    else:
        catalog = Catalog(locale=language)
    made = catalog.creation_date
    catalog.update(wanted_messages(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    catalog.creation_date = catalog.revision_date = made
    catalog.header_comment = f"# The page of Voice Clone Studio in {Locale(language).english_name}."
    catalog.project, catalog.version = "Voice Clone Studio", APP_VERSION
    catalog.msgid_bugs_address = catalog.last_translator = catalog.language_team = ""
    catalog.fuzzy = False
    return catalog


if __name__ == "__main__":
    for code in LANGUAGES:
        if code != ENGLISH:
            catalog = updated(code)  # reads the file that is written next
            with (CATALOGS / f"{code}.po").open("wb") as file:
                write_po(file, catalog, width=WIDTH, include_lineno=False, sort_by_file=True)
