"""A prepared voice as a file: safetensors with the plain values as JSON in the header."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modules.core_components import atomic
from modules.core_components.values import VoicePrompt

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
