"""The voices a user keeps: `voices/<name>.safetensors` with `voices/<name>.json` next to it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Collection, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from modules.core_components.atomic import write_json
from modules.core_components.errors import BadInputError, CorruptFileError, NotFoundError
from modules.core_components.library.audio_folder import AudioFolder
from modules.core_components.library.names import display_name, safe_stem, same_name_key
from modules.core_components.text.markup import MOST_ENTRIES, check_entry
from modules.core_components.texts import _, mark
from modules.core_components.values import OwnVoice

logger = logging.getLogger(__name__)


SUFFIX = ".safetensors"


class VoiceLibrary:
    """The voices in a folder. What is in the files is the engines' business.

    A voice's file name is its name; names are looked up in the listing and never become paths.
    """

    def __init__(self, folder: Path) -> None:
        self._files = AudioFolder(folder, {SUFFIX}, mark("voice"))
        self.trash = self._files.trash

    def list(self, model_id: str = "") -> tuple[OwnVoice, ...]:
        """The voices by name; of one model only, if it is given."""
        voices = (self._read(path) for path in self._files.audio_paths() if _has_a_name(path))
        mine = (voice for voice in voices if not model_id or voice.model_id in ("", model_id))
        return tuple(sorted(mine, key=lambda voice: same_name_key(voice.name)))

    def get(self, name: str) -> OwnVoice:
        """Raises NotFoundError."""
        for voice in self.list():
            if same_name_key(voice.name) == same_name_key(name):
                return voice
        raise NotFoundError(
            _("There is no voice of your own named {name!r}.", name=name),
            _("Save a mix or import a file."),
        )

    def add(
        self,
        label: str,
        content: bytes,
        model_id: str,
        language: str = "",
        made_from: str = "",
        taken: Collection[str] = (),
    ) -> OwnVoice:
        """Keeps a voice (the bytes of a safetensors file) under the name that `label` gives it.

        Raises BadInputError for a label without letters and for a name that a voice here or one of
        `taken` has, and DiskFullError; then nothing is left behind.
        """
        label = display_name(label, "")
        name = voice_name(label)
        if not name:
            raise BadInputError(_("The voice has no name."), _("Give it one with a letter in it."))
        with self._files.lock:
            known = {*taken, *(voice.name for voice in self.list())}
            if same_name_key(name) in map(same_name_key, known):
                raise BadInputError(
                    _("There already is a voice named {name!r}.", name=name),
                    _("Choose another name."),
                )
            info = {
                "label": label,
                "model_id": model_id,
                "language": language,
                "made_from": made_from,
                "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            }
            return self._read(self._files.add(name, SUFFIX, content, info))

    def rename(self, name: str, label: str) -> OwnVoice:
        """Changes what people read; mixes, takes and programs go on calling it `name`.

        Raises NotFoundError, and BadInputError for a label that is empty or another voice's.
        """
        label = display_name(label, "")
        if not label:
            raise BadInputError(_("The voice has no name."), _("Write one."))
        with self._files.lock:
            voice = self.get(name)
            others = (other.label for other in self.list() if other.name != voice.name)
            if same_name_key(label) in map(same_name_key, others):
                raise BadInputError(
                    _("There already is a voice named {label!r}.", label=label),
                    _("Choose another name."),
                )
            self._files.write_info(
                voice.path, {**self._files.read_info(voice.path), "label": label}
            )
            return self._read(voice.path)

    def delete(self, name: str) -> str:
        """Moves a voice to the trash; returns the id for `restore`. Raises NotFoundError."""
        with self._files.lock:
            return self._files.delete(self.get(name).path)

    def restore(self, trash_id: str) -> OwnVoice:
        """Undoes `delete`; numbered if its name was given away since. Raises NotFoundError."""
        with self._files.lock:
            return self._read(self._files.restore(trash_id))

    def _read(self, path: Path) -> OwnVoice:
        info = self._files.read_info(path)

        def said(key: str) -> str:
            value: Any = info.get(key)
            return value if isinstance(value, str) else ""

        return OwnVoice(
            name=path.stem,
            path=path,
            label=said("label") or path.stem,
            model_id=said("model_id"),
            language=said("language"),
            made_from=said("made_from"),
            created=said("created"),
        )


def voice_name(label: str) -> str:
    """What mixes and programs call a voice: letters and digits of every script, and `_`.

    A minus would take something away in a mix. "" where `label` has no letter or digit.
    """
    without_minus = safe_stem(label, fallback="").replace("-", "_")
    return safe_stem(without_minus, fallback="")


def _has_a_name(path: Path) -> bool:
    """Whether mixes can name a file that somebody may have put here by hand."""
    named = voice_name(path.stem) == path.stem
    if not named:
        logger.warning("%s is no name for a voice; rename the file", path.name)
    return named


_FAVOURITES = "favourites"


class FavouriteVoices:
    """The keys of the voices that a user marked, of any kind (see `tools/voices/voice_cards.py`).

    Read from the disk each time; a file that cannot be read counts as empty. Safe from every
    thread of this process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def keys(self) -> frozenset[str]:
        """The marked voices, also those that were deleted since."""
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError, RecursionError) as error:
            logger.warning("%s cannot be read and counts as empty: %s", self._path, error)
            return frozenset()
        listed = content.get(_FAVOURITES) if isinstance(content, dict) else None
        return frozenset(key for key in listed or () if isinstance(key, str))

    def mark(self, key: str, is_favourite: bool) -> None:
        """Raises DiskFullError; then nothing is changed."""
        with self._lock:
            others = self.keys() - {key}
            marked = {*others, key} if is_favourite else others
            write_json(self._path, {_FAVOURITES: sorted(marked)})


class PronunciationLibrary:
    """How words are to be said; read from the disk each time, so that an edited file counts at
    once. Safe from every thread of this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def entries(self, language: str) -> Mapping[str, str]:
        """Word and pronunciation (see `text/markup.py`) of one language, by word.

        Raises CorruptFileError for a file that somebody edited and that cannot be read.
        """
        return dict(sorted(self._read().get(language, {}).items()))

    def languages(self) -> tuple[str, ...]:
        """Those that have entries."""
        return tuple(sorted(language for language, entries in self._read().items() if entries))

    def put(self, language: str, word: str, sound: str) -> None:
        """Adds the word or changes how it is said. Raises BadInputError for what is no entry."""
        word, sound = word.strip(), sound.strip()
        check_entry(word, sound)
        with self._lock:
            all_entries = self._read()
            entries = all_entries.setdefault(language, {})
            if word not in entries and len(entries) >= MOST_ENTRIES:
                raise BadInputError(
                    _(
                        "The dictionary holds {most_entries:,} words of {language} already.",
                        most_entries=MOST_ENTRIES,
                        language=language,
                    ),
                    _("Remove some first."),
                )
            entries[word] = sound
            write_json(self._path, all_entries)

    def remove(self, language: str, word: str) -> None:
        """Raises NotFoundError for a word that is not there in just this case."""
        with self._lock:
            all_entries = self._read()
            if all_entries.get(language, {}).pop(word.strip(), None) is None:
                raise NotFoundError(
                    _(
                        "The dictionary has no {word!r} in {language}.",
                        word=word,
                        language=language,
                    ),
                    _("List it to see its words."),
                )
            write_json(self._path, all_entries)

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            for entries in content.values():
                for word, sound in entries.items():
                    check_entry(word, sound)
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError, TypeError, BadInputError) as error:
            raise CorruptFileError(
                _("The pronunciation dictionary {path} cannot be read.", path=self._path),
                _("Correct the file, or delete it to begin anew."),
                details=str(error),
            ) from error
        return dict(content)
