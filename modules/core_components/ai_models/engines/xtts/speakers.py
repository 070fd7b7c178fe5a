"""The studio speakers that come with XTTS, and how any voice becomes latents."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modules.core_components.ai_models.engines.xtts.checkpoint import (
    corrupt,
    read_checkpoint,
)
from modules.core_components.ai_models.engines.xtts.network import Latents
from modules.core_components.errors import BadInputError
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, VoicePrompt

ENGINE = "xtts"
_GPT, _DECODER = "gpt_cond_latent", "speaker_embedding"


def studio_speakers(path: Path) -> Mapping[str, Latents]:
    """The speakers of a speakers_xtts.pth by name; none where the file is not there.

    Raises CorruptFileError for what is no such file.
    """
    try:
        status = path.stat()
    except OSError:
        return {}
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, modified_ns: int, size: int) -> Mapping[str, Latents]:
    speakers = {}
    for name, tensors in read_checkpoint(path).items():
        try:
            speakers[str(name)] = Latents(_copied(tensors[_GPT], 3), _copied(tensors[_DECODER], 3))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise corrupt(path, f"its speaker {name!r} cannot be read ({error})") from error
    return speakers


def latents_of_prompt(prompt: VoicePrompt, width: int) -> Latents:
    """The latents in a prepared voice; `width` is that of the model that is to speak.

    Raises BadInputError for the voice of another engine or of a model of another size.
    """
    gpt, decoder = prompt.tensors.get(_GPT), prompt.tensors.get(_DECODER)
    if prompt.engine != ENGINE or gpt is None or decoder is None:
        raise BadInputError(
            _("This voice was prepared for {engine}, not for XTTS.", engine=prompt.engine),
            _("Prepare it again."),
        )
    if gpt.ndim != 3 or gpt.shape[-1] != width:
        raise BadInputError(
            _("This voice was prepared by an XTTS of another size."), _("Prepare it again.")
        )
    return Latents(np.asarray(gpt, np.float32), np.asarray(decoder, np.float32))


def prompt_tensors(latents: Latents) -> dict[str, NDArray[Any]]:
    """The latents as `VoicePrompt.tensors`."""
    return {_GPT: latents.gpt_cond_latent, _DECODER: latents.speaker_embedding}


def _copied(tensor: Any, dimensions: int) -> FloatArray:
    """A copy, so that the file is not held open."""
    array = np.array(tensor.float().numpy(), dtype=np.float32)
    if array.ndim != dimensions or not np.isfinite(array).all():
        raise ValueError(f"shape {array.shape}")
    return array
