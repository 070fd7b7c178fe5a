"""Reading the files of an OmniVoice with the package's own code, from local paths alone."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.model_pool import is_out_of_memory
from modules.core_components.ai_models.model_utils import (
    import_transformers,
    load_with_attention,
    seeded,
)
from modules.core_components.errors import CorruptFileError
from modules.core_components.texts import _

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

CONFIG, WEIGHTS = "config.json", "model.safetensors"
TOKENIZER = "audio_tokenizer"
# Where one of these is missing, the package would ask the hub for a model in its place.
_NEEDED = (
    CONFIG, WEIGHTS, "tokenizer.json", f"{TOKENIZER}/config.json", f"{TOKENIZER}/{WEIGHTS}",
    f"{TOKENIZER}/preprocessor_config.json",
)  # fmt: skip
# Its masks are not causal, which flash-attention cannot do.
_UNFIT_ATTENTION = "flash_attention_2"


def import_omnivoice() -> ModuleType:
    """The package; the first call takes seconds."""
    # It changes the process's warning filters, and pydub warns of ffmpeg, which is not used.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import omnivoice
    return omnivoice


def load_checkpoint(
    folder: Path,
    device: str,
    dtype: torch.dtype,
    attention: Sequence[str],
    low_cpu_mem_usage: bool = False,
) -> tuple[Any, str]:
    """The package's model of a folder with its tokenizers, on `device`, and the attention it got.

    The audio tokenizer computes in float32. Raises CorruptFileError for files that are missing,
    broken, or those of another model.
    """
    import_transformers()
    from safetensors import SafetensorError
    from transformers.utils.logging import disable_progress_bar

    _check(folder)
    disable_progress_bar()  # the studio has its own
    package = import_omnivoice()
    # The weights go to the GPU as they are read, and never fill the CPU's memory as a whole.
    place = {} if device == "cpu" else {"device_map": device}

    def load(name: str) -> Any:
        # New layers are drawn before the weights are read. Drawn outside the lock of `seeded`,
        # they would change what another thread is speaking.
        with seeded(0):
            return package.OmniVoice.from_pretrained(
                str(folder),
                dtype=dtype,
                attn_implementation=name,
                local_files_only=True,
                use_safetensors=True,
                low_cpu_mem_usage=low_cpu_mem_usage,
                **place,
            )

    attempts = [name for name in attention if name != _UNFIT_ATTENTION] or ["sdpa"]
    try:
        model, used = load_with_attention(load, attempts)
        _check_complete(model, folder)
    except CorruptFileError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        if is_out_of_memory(error):
            raise
        raise _damaged(f"those in {folder} do not belong together: {error}") from error
    except Exception as error:  # tokenizers raises nothing narrower
        if type(error) is not Exception:
            raise
        raise _damaged(f"{folder / 'tokenizer.json'}: {error}") from error
    logger.info("OmniVoice from %s: %s on %s, attention %s", folder.name, dtype, device, used)
    return model.eval().requires_grad_(False), used


def _check(folder: Path) -> None:
    for name in _NEEDED:
        if not (folder / name).is_file():
            raise _damaged(f"{name} is missing in {folder}.")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        kind = config["model_type"]
    except (UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise _damaged(f"{folder / CONFIG}: {error!r}") from error
    if kind != "omnivoice":
        raise _damaged(f"{folder / CONFIG} is that of a {kind!r}.")


def _check_complete(model: Any, folder: Path) -> None:
    """A weight that a file lacks would keep its random numbers, with no more than a warning."""
    from safetensors import safe_open

    with safe_open(folder / WEIGHTS, framework="pt") as file:
        there = set(file.keys())
    own = {name for name, _unused in model.named_parameters() if not name.startswith(TOKENIZER)}
    missing = sorted(own - there)
    if missing:
        raise _damaged(f"{folder / WEIGHTS} lacks {len(missing)} weights, such as {missing[0]}.")


def _damaged(details: str) -> CorruptFileError:
    return CorruptFileError(
        _("The files of OmniVoice are damaged or incomplete."),
        _("Delete the model on the Models tab and download it again."),
        details=" ".join(details.split())[:400],
    )
