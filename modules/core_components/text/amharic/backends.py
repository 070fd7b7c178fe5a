"""What reads Amharic words: transphone or epitran where they are installed, else the rules here.

Neither package is required. transphone (a neural model, last released in 2023) counts as installed
only with its model on the disk: it would download it at its first use. epitran needs nothing else.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from modules.core_components.errors import BadInputError
from modules.core_components.text.amharic.phonemes import word_to_ipa
from modules.core_components.texts import _, mark

TRANSPHONE, EPITRAN, RULES = "transphone", "epitran", "rules"
# Changes with whatever changes what the rules make of a word.
RULES_VERSION = "1"
LABELS: Mapping[str, str] = {
    TRANSPHONE: "transphone", EPITRAN: "epitran", RULES: mark("the studio's own rules"),
}  # fmt: skip

_TRANSPHONE_MODEL = "042801_base"


@dataclass(frozen=True)
class Backend:
    """`read_word` makes IPA of one Ethiopic word; it may leave signs that it does not know."""

    name: str
    version: str
    read_word: Callable[[str], str]

    def __reduce__(self) -> tuple[Callable[[str], Backend], tuple[str]]:
        return open_backend, (self.name,)  # for the processes that read a training's clips

    @property
    def label(self) -> str:
        """For people: "epitran 1.35.3"."""
        return f"{_(LABELS[self.name])} {self.version}"


def available_backends() -> tuple[str, ...]:
    """The names of those that can be used now, the preferred one first; "rules" is always there."""
    found = ((TRANSPHONE, _has_transphone()), (EPITRAN, _has("epitran")), (RULES, True))
    return tuple(name for name, is_here in found if is_here)


def preferred_label() -> str:
    """The one that reads new texts here, for people."""
    return _(LABELS[available_backends()[0]])


def open_backend(name: str = "") -> Backend:
    """The backend of that name, or the preferred one. Raises BadInputError where it is not here."""
    here = available_backends()
    name = name or here[0]
    if name not in here:
        raise BadInputError(
            _(
                "Amharic is to be read by {reader}, which is not installed.",
                reader=_(LABELS.get(name, name)),
            ),
            _("Install the package {name}; here are: {here}.", name=name, here=", ".join(here)),
        )
    if name == RULES:
        return Backend(RULES, RULES_VERSION, word_to_ipa)
    open_it = {TRANSPHONE: _transphone, EPITRAN: _epitran}[name]
    return Backend(name, metadata.version(name), open_it())


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _has_transphone() -> bool:
    spec = importlib.util.find_spec(TRANSPHONE)
    if spec is None or spec.origin is None:
        return False
    return (Path(spec.origin).parent / "data" / "model" / _TRANSPHONE_MODEL).is_dir()


@lru_cache(maxsize=1)
def _epitran() -> Callable[[str], str]:
    reader: Any = importlib.import_module(EPITRAN).Epitran("amh-Ethi")
    return lru_cache(maxsize=8192)(lambda word: str(reader.transliterate(word)))


@lru_cache(maxsize=1)
def _transphone() -> Callable[[str], str]:
    g2p: Any = importlib.import_module(f"{TRANSPHONE}.g2p")
    # By its model's name: given a language here, it fails without a word.
    reader = g2p.read_g2p("latest", device="cpu")
    return lru_cache(maxsize=8192)(lambda word: "".join(reader.inference(word, "amh")))
