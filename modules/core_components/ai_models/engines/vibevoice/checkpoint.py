"""Reading checkpoints of the VibeVoice family in the layout of transformers."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.catalog import HubSource, ModelEntry
from modules.core_components.ai_models.model_pool import is_out_of_memory
from modules.core_components.ai_models.model_utils import load_with_attention
from modules.core_components.errors import CorruptFileError
from modules.core_components.texts import _

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

# What Microsoft's own repositories call what transformers calls text_config and audio_config.
_OLD_KEYS = frozenset({"decoder_config", "acoustic_tokenizer_config", "semantic_tokenizer_config"})


def refuse_old_layout(entry: ModelEntry, folder: Path) -> None:
    """Raises CorruptFileError for a folder in the layout of Microsoft's repositories.

    Otherwise the error would be a list of missing files, or one about a configuration.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # verification gives the better error
    if not isinstance(config, dict) or not _OLD_KEYS & config.keys():
        return
    wanted = next((s.repository for s in entry.sources if isinstance(s, HubSource)), _("the hub"))
    raise CorruptFileError(
        _(
            "{label} is installed in the old layout of Microsoft's own repository, "
            "which cannot be loaded.",
            label=entry.label,
        ),
        _(
            "Delete it and download {wanted} on the Models tab: the same weights in "
            "another layout.",
            wanted=wanted,
        ),
        details=f"It lies in {folder}. In the terminal: `models download {entry.id}`.",
    )


def load_checkpoint(
    model_class: Any,
    label: str,
    folder: Path,
    attention: Sequence[str],
    dtype: torch.dtype,
    device: str,
    **arguments: Any,
) -> tuple[Any, Any, str]:
    """The model on its device, its processor, and the attention its language model was loaded with.

    The choice of attention is for the language model alone: the audio tokenizers know only their
    own. Raises CorruptFileError for files that are no such model.
    """
    from safetensors import SafetensorError
    from transformers import AutoProcessor
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # the studio has its own
    # The weights go to the GPU as they are read, and never fill the CPU's memory as a whole.
    placed = {} if device == "cpu" else {"device_map": device}

    def load(name: str) -> Any:
        return model_class.from_pretrained(
            folder,
            dtype=dtype,
            attn_implementation={"text_config": name},
            local_files_only=True,
            output_loading_info=True,
            **placed,
            **arguments,
        )

    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        (model, report), used = load_with_attention(load, attention)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        if is_out_of_memory(error):
            raise
        raise _damaged(label, folder, str(error)) from error
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise _damaged(label, folder, f"{len(missing)} weights are missing, such as {missing[0]}")
    logger.info("%s computes in %s with %s attention", label, dtype, used)
    return model.eval(), processor, used


def cast_audio(inputs: Mapping[str, Any], model: Any) -> dict[str, Any]:
    """The processor's tensors on the model's device, and its audio in the model's numbers."""
    moved = {name: tensor.to(model.device) for name, tensor in inputs.items()}
    if "input_values" in moved:
        moved["input_values"] = moved["input_values"].to(model.dtype)
    return moved


def _damaged(label: str, folder: Path, reason: str) -> CorruptFileError:
    return CorruptFileError(
        _("{label} could not be loaded: its files are damaged or incomplete.", label=label),
        _("Delete the model on the Models tab and download it again."),
        details=f"{folder}: {reason.strip().splitlines()[0]}",
    )
