"""Kokoro's stock voices: style packs on disk, by name, and mixes of them."""

from __future__ import annotations

import difflib
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np

from modules.core_components.ai_models.engines.kokoro.mixes import parse_mix
from modules.core_components.ai_models.engines.kokoro.voice_packs import load_pack
from modules.core_components.errors import BadInputError, CorruptFileError, ModelMissingError
from modules.core_components.values import FloatArray

_CACHED_PACKS = 16  # half a megabyte each


class VoiceFolder:
    """The voices of the folder `voices` beside a model. Safe from every thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._packs: OrderedDict[str, FloatArray] = OrderedDict()

    def names(self) -> tuple[str, ...]:
        """The voices in alphabetical order; "bf_emma" is British (b) and a woman's (f)."""
        return tuple(sorted(path.stem for path in self._folder.glob("[!.]*.pt")))

    def pack(self, voice: str) -> FloatArray:
        """The style pack, float32 [510, 1, 256], of a voice or of a mix (see `parse_mix`).

        Raises BadInputError for a name that does not exist or a mix that cannot be read,
        CorruptFileError for a file that is no style pack.
        """
        parts = parse_mix(voice)
        if len(parts) == 1:
            return self._single(parts[0][0])
        mixed = sum(self._single(name) * np.float32(share) for name, share in parts)
        return np.asarray(mixed, dtype=np.float32)

    def _single(self, name: str) -> FloatArray:
        with self._lock:
            if name in self._packs:
                self._packs.move_to_end(name)
                return self._packs[name]
        path = self._path(name)
        try:
            pack = load_pack(path)
        except BadInputError as error:
            raise CorruptFileError(
                f"The voice {path.name} cannot be used: {error.message}",
                "Delete the model on the Models tab and download it again.",
            ) from error
        pack.setflags(write=False)
        with self._lock:
            self._packs[name] = pack
            while len(self._packs) > _CACHED_PACKS:
                self._packs.popitem(last=False)
        return pack

    def _path(self, name: str) -> Path:
        names = self.names()
        if not names:
            raise ModelMissingError(
                f"There are no voices in {self._folder}.", "Download the model on the Models tab."
            )
        if name not in names:
            near = difflib.get_close_matches(name, names, n=3) or names[:3]
            raise BadInputError(
                f"Kokoro has no voice {name!r}.", f"Did you mean {', '.join(near)}?"
            )
        return self._folder / f"{name}.pt"
