"""The user's pronunciation dictionary: `pronunciations.json`, words and sounds by language."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path

from modules.core_components.atomic import write_json
from modules.core_components.errors import BadInputError, CorruptFileError, NotFoundError
from modules.core_components.text.pronunciations import MOST_ENTRIES, check_entry


class PronunciationLibrary:
    """How words are to be said; read from the disk each time, so that an edited file counts at
    once. Safe from every thread of this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def entries(self, language: str) -> Mapping[str, str]:
        """Word and pronunciation (see `text/pronunciations.py`) of one language, by word.

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
                    f"The dictionary holds {MOST_ENTRIES:,} words of {language} already.",
                    "Remove some first.",
                )
            entries[word] = sound
            write_json(self._path, all_entries)

    def remove(self, language: str, word: str) -> None:
        """Raises NotFoundError for a word that is not there in just this case."""
        with self._lock:
            all_entries = self._read()
            if all_entries.get(language, {}).pop(word.strip(), None) is None:
                raise NotFoundError(
                    f"The dictionary has no {word!r} in {language}.", "List it to see its words."
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
                f"The pronunciation dictionary {self._path} cannot be read: {error}",
                "Correct the file, or delete it to begin anew.",
            ) from error
        return dict(content)
