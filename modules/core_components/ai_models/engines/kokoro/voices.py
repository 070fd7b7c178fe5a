"""Kokoro's voices by name: those beside the model, the user's own, and mixes of both."""

from __future__ import annotations

import difflib
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np

from modules.core_components.ai_models.engines.kokoro.mixes import parse_mix
from modules.core_components.ai_models.engines.kokoro.voice_packs import load_pack
from modules.core_components.errors import BadInputError, CorruptFileError, ModelMissingError
from modules.core_components.library import VoiceLibrary
from modules.core_components.values import FloatArray

_CACHED_PACKS = 16  # half a megabyte each


class VoiceFolder:
    """The voices of the folder `voices` beside a model, and its user's. Safe from every thread."""

    def __init__(self, folder: Path, own: VoiceLibrary | None = None, model_id: str = "") -> None:
        self._folder = folder
        self._own = own
        self._model_id = model_id
        self._lock = threading.Lock()
        # By name, size and time, since a user may replace a voice of his own.
        self._packs: OrderedDict[tuple[Path, int, int], FloatArray] = OrderedDict()

    def names(self) -> tuple[str, ...]:
        """The stock voices in alphabetical order ("bf_emma" is British and a woman's), then own."""
        return tuple(self._paths())

    def pack(self, voice: str) -> FloatArray:
        """The style pack, float32 [510, 1, 256], of a voice or of a mix (see `parse_mix`).

        Raises BadInputError for a name that does not exist or a mix that cannot be read,
        CorruptFileError for a file that is no style pack.
        """
        parts = parse_mix(voice)
        paths = self._paths()
        if len(parts) == 1:
            return self._single(parts[0][0], paths)
        mixed = sum(self._single(name, paths) * np.float32(share) for name, share in parts)
        return np.asarray(mixed, dtype=np.float32)

    def _paths(self) -> dict[str, Path]:
        stock = {path.stem: path for path in sorted(self._folder.glob("[!.]*.pt"))}
        own = self._own.list(self._model_id) if self._own else ()
        return stock | {voice.name: voice.path for voice in own if voice.name not in stock}

    def _single(self, name: str, paths: dict[str, Path]) -> FloatArray:
        if not paths:
            raise ModelMissingError(
                f"There are no voices in {self._folder}.", "Download the model on the Models tab."
            )
        if name not in paths:
            near = difflib.get_close_matches(name, paths, n=3) or [*paths][:3]
            raise BadInputError(
                f"Kokoro has no voice {name!r}.", f"Did you mean {', '.join(near)}?"
            )
        return self._read(paths[name])

    def _read(self, path: Path) -> FloatArray:
        try:
            status = path.stat()
            key = (path, status.st_size, status.st_mtime_ns)
            with self._lock:
                if key in self._packs:
                    self._packs.move_to_end(key)
                    return self._packs[key]
            pack = load_pack(path)
        except (BadInputError, OSError) as error:
            raise self._unusable(path, error) from error
        pack.setflags(write=False)
        with self._lock:
            self._packs[key] = pack
            while len(self._packs) > _CACHED_PACKS:
                self._packs.popitem(last=False)
        return pack

    def _unusable(self, path: Path, error: Exception) -> CorruptFileError:
        remedy = (
            "Delete the model on the Models tab and download it again."
            if path.parent == self._folder
            else "Delete it on the Voice Presets tab and import it again."
        )
        reason = error.message if isinstance(error, BadInputError) else str(error)
        return CorruptFileError(f"The voice {path.name} cannot be used: {reason}", remedy)
