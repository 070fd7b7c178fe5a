"""Prepared voices, kept by what they were made from."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modules.core_components import atomic
from modules.core_components.errors import BadInputError
from modules.core_components.values import Sample, VoicePrompt

logger = logging.getLogger(__name__)

_FORMAT = 1
_HEADER = "voice_prompt"
_KEY = re.compile(r"[0-9a-f]{64}")


class VoicePromptStore:
    """`<folder>/<key>.safetensors` with the prompt's plain values as JSON in the header.

    The key is a hash of everything that shapes a prompt, so an edited reference text, another
    revision of the model or another parameter never finds an old one. The `in_memory` most
    recently used prompts stay in memory. Safe from every thread.
    """

    def __init__(self, folder: Path, in_memory: int = 16) -> None:
        self._folder = folder
        self._in_memory = in_memory
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
        with self._lock:
            if key in self._recent:
                self._recent.move_to_end(key)
                return self._recent[key]
        prompt = self._read(key)
        if prompt is not None:
            self._remember(prompt)
        return prompt

    def put(self, prompt: VoicePrompt) -> None:
        """Keeps a prompt under its key. Raises DiskFullError; it stays in memory all the same."""
        path = self._path(prompt.key)
        self._remember(prompt)
        from safetensors.numpy import save_file

        header = {
            "key": prompt.key,
            "engine": prompt.engine,
            "model_id": prompt.model_id,
            "model_revision": prompt.model_revision,
            "info": dict(prompt.info),
        }
        tensors = {name: np.ascontiguousarray(array) for name, array in prompt.tensors.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.atomic_path(path) as partial:
            save_file(tensors, partial, {_HEADER: json.dumps(header, ensure_ascii=False)})

    def _read(self, key: str) -> VoicePrompt | None:
        path = self._path(key)
        if not path.exists():
            return None
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                header = json.loads(file.metadata()[_HEADER])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            prompt = VoicePrompt(tensors=tensors, **header)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            logger.warning("The prepared voice %s is damaged and made anew: %s", path.name, error)
            return None
        if prompt.key != key:
            logger.warning("The prepared voice %s is that of %s", path.name, prompt.key)
            return None
        return prompt

    def _remember(self, prompt: VoicePrompt) -> None:
        with self._lock:
            self._recent[prompt.key] = prompt
            self._recent.move_to_end(prompt.key)
            while len(self._recent) > self._in_memory:
                self._recent.popitem(last=False)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise BadInputError(f"{key!r} is not the key of a prepared voice.")
        return self._folder / f"{key}.safetensors"


def _sha256_of(identity: list[Any]) -> str:
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
