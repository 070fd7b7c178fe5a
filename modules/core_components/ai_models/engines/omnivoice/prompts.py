"""Voice prompts of OmniVoice: the codes of a recording, its words and its level."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modules.core_components.errors import BadInputError
from modules.core_components.texts import _
from modules.core_components.values import VoicePrompt

if TYPE_CHECKING:
    import torch

ENGINE = "omnivoice"
CODES, TEXT, LEVEL = "ref_audio_tokens", "ref_text", "ref_rms"

# Of the package's `VoiceClonePrompt.save`.
_FILE_VERSION = 1
_LARGEST_FILE = 10_000_000
_CODEBOOK_SIZE = 1024


def package_prompt(prompt: VoicePrompt) -> Any:
    """The `VoiceClonePrompt` of a prompt, on the CPU; the model takes it to its device."""
    import torch

    from modules.core_components.ai_models.engines.omnivoice.checkpoint import import_omnivoice

    return import_omnivoice().VoiceClonePrompt(
        ref_audio_tokens=torch.from_numpy(prompt.tensors[CODES].astype(np.int64)),
        ref_text=str(prompt.info[TEXT]),
        ref_rms=float(prompt.info[LEVEL]),
    )


def parts_of(made: Any) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Tensors and info of the package's `VoiceClonePrompt`: codes int16 [codebooks, frames of
    40 ms]."""
    codes = made.ref_audio_tokens.detach().cpu().numpy().astype(np.int16)
    return {CODES: codes}, {TEXT: made.ref_text, LEVEL: float(made.ref_rms)}


def read_package_file(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Tensors and info of a file that the package's `VoiceClonePrompt.save` wrote.

    Read as data alone: code in it is not run. Raises BadInputError for any other file.
    """
    import torch

    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError("it is larger than a voice prompt can be")
        content = torch.load(path, map_location="cpu", weights_only=True)
        return _checked(content)
    except (
        OSError, ValueError, KeyError, TypeError, RuntimeError, EOFError, pickle.UnpicklingError,
    ) as error:  # fmt: skip
        raise BadInputError(
            _("{name} is no voice prompt of OmniVoice.", name=path.name),
            _("Choose a voice that OmniVoice itself saved."),
            details=" ".join(str(error).split())[:300],
        ) from error


def _checked(content: Mapping[str, Any]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    if content["format_version"] != _FILE_VERSION:
        raise ValueError(f"its version is {content['format_version']!r}")
    codes: torch.Tensor = content[CODES]
    if codes.ndim != 2 or not codes.shape[1] or codes.is_floating_point():
        raise ValueError("its codes are no table of whole numbers")
    if int(codes.min()) < 0 or int(codes.max()) >= _CODEBOOK_SIZE:
        raise ValueError("its codes are not those of the audio tokenizer")
    text, level = content[TEXT], float(content[LEVEL])
    if not isinstance(text, str) or not np.isfinite(level) or level < 0:
        raise ValueError("its text or its level cannot be read")
    return {CODES: codes.numpy().astype(np.int16)}, {TEXT: text, LEVEL: level}
