"""Prepared voices, kept by what they were made from: one cache for all engines."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.voice_prompt_files import (
    SUFFIX,
    read_model,
    read_prompt,
    write_prompt,
)
from modules.core_components.errors import BadInputError
from modules.core_components.values import Sample, VoicePrompt

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
        total = sum(found.st_size for _, found in files)
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
                _, oldest = self._recent.popitem(last=False)
                total -= _nbytes(oldest)

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self._folder.glob(f"*{SUFFIX}"):
            # Another process may delete it just now.
            with contextlib.suppress(OSError):
                if _KEY.fullmatch(path.stem):
                    yield path, path.stat()

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise BadInputError(f"{key!r} is not the key of a prepared voice.")
        return self._folder / f"{key}{SUFFIX}"


def _nbytes(prompt: VoicePrompt) -> int:
    return sum(array.nbytes for array in prompt.tensors.values())


def _sha256_of(identity: list[Any]) -> str:
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
