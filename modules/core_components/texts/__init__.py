"""The words of the studio in the language of its page: gettext, with numbers as it writes them.

    _("The sample is {seconds:.1f} s long.", seconds=4.25)

is "Das Sample ist 4,2 s lang." once `use_language("de")` was called. English stands in the code;
the other languages are catalogs in this folder, written by `configs/translations.py`.

The language belongs to the process, as with `gettext.install`: app.py chooses it once, before the
page is built, and it never changes after. Until then, in the terminal and in tests, it is English.
"""

from __future__ import annotations

import gettext
import io
import os
import re
import string
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

CATALOGS = Path(__file__).parent
ENGLISH = "en"
# As they call themselves.
LANGUAGES: Mapping[str, str] = {ENGLISH: "English", "de": "Deutsch"}
# The value of the setting that says: the language of this machine.
AUTOMATIC = "auto"
# Chooses before the setting does, and says to processes that the studio starts what it chose.
LANGUAGE_VARIABLE = "VOICE_STUDIO_LANGUAGE"


class _Formatter(string.Formatter):
    """`str.format` with the decimal mark, the thousands separator and the percent sign of a
    language, by the code of what English has for them."""

    def __init__(self, marks: Mapping[int, str]) -> None:
        self._marks = marks

    def format_field(self, value: Any, format_spec: str) -> Any:
        text = super().format_field(value, format_spec)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return text.translate(self._marks) if is_number else text


class _Words:
    """The texts of one language."""

    def __init__(
        self, language: str, translations: gettext.NullTranslations, formatter: string.Formatter
    ) -> None:
        self.language = language
        self.translations = translations
        self.formatter = formatter


_words = _Words(ENGLISH, gettext.NullTranslations(), string.Formatter())


def _(message: str, /, **values: Any) -> str:
    """`message` in the language of the page, with the values in its {places}.

    Without values nothing is put in. A message that no catalog has stays English.
    """
    return _filled(_words.translations.gettext(message) if message else "", values)


def ngettext(one: str, several: str, count: int, /, **values: Any) -> str:
    """The form for `count`, which both forms have as {count}: "1 clip", "{count} clips"."""
    message = _words.translations.ngettext(one, several, count)
    return _filled(message, {"count": count, **values})


def mark(message: str) -> str:
    """`message` as it is: marks a constant, which is translated where it is shown, by `_`."""
    return message


def fill(form: str, *values: Any) -> str:
    """`form`, such as "{:.2f}", with these values, and numbers as the page's language has them."""
    return _words.formatter.vformat(form, values, {})


def page_language() -> str:
    """The code of the language that the page is in: "en", "de"."""
    return _words.language


def use_language(language: str) -> None:
    """Has all texts from now on in a language of `LANGUAGES`, or in that of the machine ("auto").

    The environment variable VOICE_STUDIO_LANGUAGE has the last word; it is set for the processes
    that this one starts. A language that is not here is English.
    """
    chosen = os.environ.get(LANGUAGE_VARIABLE) or language
    code = machine_language() if chosen == AUTOMATIC else chosen
    code = code if code in LANGUAGES else ENGLISH
    os.environ[LANGUAGE_VARIABLE] = code
    use_translations(code, _translations(code))


def use_language_of_studio() -> None:
    """In a process that the studio has started: has all texts from now on in the studio's language.

    `language_variable` gives it to the process; without it, as under torchrun, texts are English.
    """
    if os.environ.get(LANGUAGE_VARIABLE):
        use_language(AUTOMATIC)


def language_variable() -> dict[str, str]:
    """The environment variable that says to a process of the studio which language it has now."""
    return {LANGUAGE_VARIABLE: page_language()}


def use_translations(language: str, translations: gettext.NullTranslations) -> None:
    """Has all texts from now on from `translations`."""
    global _words  # the one place: see above
    formatter = _Formatter(_number_marks(language)) if language != ENGLISH else string.Formatter()
    _words = _Words(language, translations, formatter)


def machine_language() -> str:
    """The code of the language that this machine speaks with its user, without the region."""
    if sys.platform == "win32":
        import ctypes
        import locale

        code = locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")
    else:
        names = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
        code = next((os.environ[name] for name in names if os.environ.get(name)), "")
    return re.split(r"[-_.:]", code)[0].lower()


def texts_of_scripts() -> dict[str, str]:
    """What the scripts of the page say (`translate` in static/js/translate.js), by the English."""
    if _words.language == ENGLISH:
        return {}
    return {
        message.id: message.string
        for message in _catalog(_words.language)
        if isinstance(message.id, str)
        and isinstance(message.string, str)
        and message.string
        and any(place.endswith(".js") for place, _line in message.locations)
    }


def _filled(message: str, values: Mapping[str, Any]) -> str:
    return _words.formatter.vformat(message, (), values) if values else message


@cache
def _catalog(language: str) -> Any:
    """A catalog as babel reads it; 0.3 s for two thousand messages."""
    from babel.messages.pofile import read_po

    with (CATALOGS / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def _translations(language: str) -> gettext.NullTranslations:
    if language == ENGLISH:
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo

    compiled = io.BytesIO()
    write_mo(compiled, _catalog(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _number_marks(language: str) -> Mapping[int, str]:
    """What stands in numbers of a language for the point and the comma of English ones."""
    from babel import Locale

    words = Locale(language)
    symbols = words.number_symbols["latn"]
    # Such as "#,##0\xa0%".
    percent = words.percent_formats[None].pattern.rpartition("0")[2]
    return {ord("."): symbols["decimal"], ord(","): symbols["group"], ord("%"): percent}
