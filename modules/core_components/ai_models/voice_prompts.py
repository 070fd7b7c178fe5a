"""Voice prompts and their cache, keyed by what each was made from; one for all engines."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modules.core_components import atomic
from modules.core_components.errors import BadInputError
from modules.core_components.texts import _
from modules.core_components.values import Sample, VoicePrompt

logger = logging.getLogger(__name__)


SUFFIX = ".safetensors"
_HEADER, _DIGEST = "voice_prompt", "sha256"


def write_prompt(prompt: VoicePrompt, path: Path) -> None:
    """Writes it whole or not at all. Raises DiskFullError."""
    from safetensors.numpy import save_file

    header = {
        "key": prompt.key,
        "engine": prompt.engine,
        "model_id": prompt.model_id,
        "model_revision": prompt.model_revision,
        "info": dict(prompt.info),
    }
    tensors = {name: np.ascontiguousarray(array) for name, array in prompt.tensors.items()}
    about = {_HEADER: json.dumps(header, ensure_ascii=False), _DIGEST: _digest(tensors)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.atomic_path(path) as partial:
        save_file(tensors, partial, about)


def read_prompt(path: Path) -> VoicePrompt | None:
    """The prompt; None, with a line in the log, where the file is damaged or not there."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            about = file.metadata()
            header = json.loads(about[_HEADER])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if _digest(tensors) != about[_DIGEST]:
            raise ValueError("its numbers are not those that were written")
        return VoicePrompt(tensors=tensors, **header)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        logger.warning("The prepared voice %s is damaged and made anew: %s", path.name, error)
        return None


def read_model(path: Path) -> tuple[str, str]:
    """Id and revision of the model a prompt is for; ("", "") for a file that says neither."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads(file.metadata()[_HEADER])
        return str(header["model_id"]), str(header["model_revision"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return "", ""


def _digest(tensors: Mapping[str, NDArray[Any]]) -> str:
    """safetensors itself notices a file that is too short, but not a number that changed."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name}:{array.dtype}:{array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


_FORMAT = 1
_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class PromptUsage:
    """What one revision of a model has in the cache; no `model_id`: files that are damaged."""

    model_id: str
    model_revision: str
    count: int
    nbytes: int


class VoicePromptStore:
    """`<folder>/<key>.safetensors`, as many as `disk_bytes` hold; some stay in memory as well.

    The key is a hash of everything that shapes a prompt, so an edited reference text, another
    revision of the model or another parameter never finds an old one. Where there is no more
    room, the least recently used goes first; the last one stays, however large it is. A file's
    time says when it was used, so several processes may share the folder. Safe from every thread.
    """

    def __init__(
        self, folder: Path, disk_bytes: int = 512_000_000, memory_bytes: int = 64_000_000
    ) -> None:
        self._folder = folder
        self._disk_bytes = disk_bytes
        self._memory_bytes = memory_bytes
        self._recent: OrderedDict[str, VoicePrompt] = OrderedDict()
        self._lock = threading.Lock()

    @staticmethod
    def key(
        sample: Sample,
        engine: str,
        model_id: str,
        revision: str,
        parameters: Mapping[str, Any],
    ) -> str:
        """SHA-256 over the sample's audio and text, the model, and what else shapes the prompt.

        `parameters` are plain JSON values.
        """
        identity = [
            _FORMAT, sample.audio_sha256, sample.ref_text, sample.language,
            engine, model_id, revision, dict(parameters),
        ]  # fmt: skip
        return _sha256_of(identity)

    @staticmethod
    def key_of_recording(
        sample_hash: str, model_id: str, revision: str, parameters: Mapping[str, Any]
    ) -> str:
        """As `key`, for a recording of which only its caller's own hash is known."""
        identity = [_FORMAT, sample_hash, model_id, revision, dict(parameters)]
        return _sha256_of(identity)

    def get(self, key: str) -> VoicePrompt | None:
        """The prompt, None where there is none or its file is damaged (then it is made anew)."""
        path = self._path(key)
        with self._lock:
            prompt = self._recent.get(key)
        prompt = prompt or read_prompt(path)
        if prompt is None or prompt.key != key:  # somebody renamed a file
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        self._remember(prompt)
        return prompt

    def put(self, prompt: VoicePrompt) -> None:
        """Keeps a prompt under its key. Raises DiskFullError; it stays in memory all the same."""
        path = self._path(prompt.key)
        self._remember(prompt)
        write_prompt(prompt, path)
        self._make_room(path)

    def usage(self) -> tuple[PromptUsage, ...]:
        """What lies on the disk, by model and revision; those of damaged files come first."""
        sums: dict[tuple[str, str], tuple[int, int]] = {}
        for path, found in self._files():
            model = read_model(path)
            count, nbytes = sums.get(model, (0, 0))
            sums[model] = (count + 1, nbytes + found.st_size)
        return tuple(PromptUsage(*model, *sums[model]) for model in sorted(sums))

    def clear(self, model_id: str | None = None) -> int:
        """Deletes all prompts, or those of one model ("": damaged files); returns the bytes."""
        with self._lock:
            for key, prompt in list(self._recent.items()):
                if model_id in (None, prompt.model_id):
                    del self._recent[key]
        freed = 0
        for path, found in list(self._files()):
            if model_id is None or read_model(path)[0] == model_id:
                path.unlink(missing_ok=True)
                freed += found.st_size
        return freed

    def _make_room(self, kept: Path) -> None:
        files = sorted(self._files(), key=lambda file: file[1].st_mtime_ns)
        total = sum(found.st_size for _unused, found in files)
        for path, found in files:
            if total <= self._disk_bytes:
                return
            if path != kept:
                path.unlink(missing_ok=True)
                total -= found.st_size

    def _remember(self, prompt: VoicePrompt) -> None:
        with self._lock:
            self._recent[prompt.key] = prompt
            self._recent.move_to_end(prompt.key)
            total = sum(_nbytes(known) for known in self._recent.values())
            while total > self._memory_bytes and len(self._recent) > 1:
                _unused, oldest = self._recent.popitem(last=False)
                total -= _nbytes(oldest)

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self._folder.glob(f"*{SUFFIX}"):
            # Another process may delete it just now.
            with contextlib.suppress(OSError):
                if _KEY.fullmatch(path.stem):
                    yield path, path.stat()

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise BadInputError(_("{key!r} is not the key of a prepared voice.", key=key))
        return self._folder / f"{key}{SUFFIX}"


def _nbytes(prompt: VoicePrompt) -> int:
    return sum(array.nbytes for array in prompt.tensors.values())


def _sha256_of(identity: list[Any]) -> str:
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
