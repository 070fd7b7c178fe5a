"""Imports the package `qwen_tts` so that it works with the transformers that VibeVoice needs.

From transformers 5.17 on (the first with VibeVoice) two things in qwen-tts-hf no longer work:

1. It registers a function of its own as transformers' "default" rotary embedding, which reads
   `config.rope_theta`. Configurations of transformers 5 keep that number in `rope_parameters`, so
   every plain model that is loaded later in the process fails, VibeVoice's Qwen2 among them. We
   register one first that reads both; the package does not replace it.
2. From 5.21 on the audio codec Mimi consists of two halves. The package makes the encoder's half
   by emptying attributes that can no longer be set. transformers' own class without a decoder is
   that half, and its loading code knows the names that the weights have on disk.

Written for the exact version in requirements.txt.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.model_utils import import_transformers

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

_importing = threading.Lock()
_USUAL_THETA = 10_000.0


def import_qwen_tts() -> ModuleType:
    """The module `qwen_tts`; the first call takes seconds. Safe from every thread."""
    with _importing:
        import_transformers()
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # the studio has its own
        _register_rotary_embedding()
        # It prints advice on import; standard output may be read by a program.
        with contextlib.redirect_stdout(sys.stderr):
            import qwen_tts
        _let_mimi_be_halved()
    return qwen_tts


def _register_rotary_embedding() -> None:
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    ROPE_INIT_FUNCTIONS["default"] = plain_rotary_frequencies


def plain_rotary_frequencies(
    config: Any, device: Any = None, **_others: Any
) -> tuple[torch.Tensor, float]:
    """Inverse frequencies, float32 [head_dim / 2], and the scaling (none) of plain RoPE.

    Su et al., "RoFormer", 2021: theta^(-2i/d), theta from either place in the configuration.
    """
    import torch

    parameters = getattr(config, "rope_parameters", None) or {}
    theta = getattr(config, "rope_theta", None) or parameters.get("rope_theta", _USUAL_THETA)
    share = parameters.get("partial_rotary_factor") or getattr(config, "partial_rotary_factor", 1.0)
    whole = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    width = int(whole * share)
    places = torch.arange(0, width, 2, dtype=torch.int64).to(device=device, dtype=torch.float)
    return 1.0 / (theta ** (places / width)), 1.0


def _let_mimi_be_halved() -> None:
    from transformers.models.mimi import modeling_mimi

    if not hasattr(modeling_mimi, "MimiEncoderModel"):
        return  # before 5.21 the package's own class works
    from qwen_tts.core.tokenizer_12hz import modeling_qwen3_tts_tokenizer_v2 as codec

    codec.Qwen3TTSTokenizerV2Encoder = _MimiWithoutDecoder


class _MimiWithoutDecoder:
    """Used by the package as a model class; makes the encoder half of Mimi."""

    @staticmethod
    def _from_config(config: Any, **how: Any) -> Any:
        from transformers import MimiModel

        halved = copy.deepcopy(config)
        halved.decoder_config = None
        return MimiModel._from_config(halved, **how)
