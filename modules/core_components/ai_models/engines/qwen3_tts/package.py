"""The package `qwen_tts`, made to work with the transformers that VibeVoice needs.

qwen-tts-hf says that it takes any transformers 5. From 5.17 on (VibeVoice's first) two things in it
no longer fit, with real weights as with tiny ones:

1. It registers a function of its own as transformers' "default" rotary embedding, which reads
   `config.rope_theta`. Configurations of transformers 5 keep that number in `rope_parameters`, so
   every plain model made or loaded later in the process dies of it, VibeVoice's Qwen2 among them.
   We register one first that reads both; the package leaves a name alone that is taken.
2. From 5.21 on the audio codec Mimi consists of two halves. The package makes the encoder's half
   by emptying attributes that can no longer be set. transformers' own class without a decoder is
   that half, and its loading code knows the names that the weights have on disk.

Written for the exact version in requirements.txt. Without it nothing here is needed, and nothing
changes: importing this module imports nothing.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

_importing = threading.Lock()
_USUAL_THETA = 10_000.0


def import_qwen_tts() -> ModuleType:
    """The module `qwen_tts`; the first call takes seconds. Safe from every thread."""
    with _importing:
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # ours tells what is being done
        _register_rotary_embedding()
        # It and what it imports print advice; standard output may be a program's.
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

    Su et al., "RoFormer", 2021: theta^(-2i/d), for both ways in which configurations say theta.
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
    """Stands where the package expects a class of models, and makes Mimi's encoder half."""

    @staticmethod
    def _from_config(config: Any, **how: Any) -> Any:
        from transformers import MimiModel

        halved = copy.deepcopy(config)
        halved.decoder_config = None
        return MimiModel._from_config(halved, **how)
