"""The files of a Pocket TTS, loaded with the package's own code from local paths alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from modules.core_components import atomic
from modules.core_components.ai_models.model_utils import seeded
from modules.core_components.errors import CorruptFileError, StudioError
from modules.core_components.texts import _, mark

WEIGHTS, CONFIG = "model.safetensors", "config.yaml"
# The form in which the package's configurations name them.
TOKENIZERS = ("tokenizer.json", "tokenizer.model")

_REMEDY = mark("Delete the model on the Models tab and download it again.")
_NO_CLONING_REMEDY = mark(
    "Accept the terms at https://huggingface.co/kyutai/pocket-tts, save an access token of that "
    "account on the Settings tab, delete the model and download it again."
)


class CloningMissingError(StudioError):
    """The weights are those that are published without voice cloning."""


def corrupt(path: Path, reason: object) -> CorruptFileError:
    """The error for a file that does not hold what it must."""
    detail = " ".join(str(reason).split())[:300].rstrip(".")
    return CorruptFileError(
        _("A file of Pocket TTS is damaged."), _(_REMEDY), details=f"{path}: {detail}."
    )


def load(folder: Path, variant: str, config_file: Path) -> Any:
    """The package's `TTSModel` of a folder, on the CPU in float32, ready to speak.

    `variant` names the package's configuration of these weights, such as "english"; a config.yaml
    in the folder comes first. `config_file` (.yaml) is written: the same with local paths.

    Raises CorruptFileError that names the file, and CloningMissingError.
    """
    from pydantic import ValidationError
    from safetensors import SafetensorError

    _write_config(folder, variant, config_file)
    with _threads_kept():
        from pocket_tts import TTSModel

        # Layers are built with random numbers. Drawn outside the lock of `seeded`, they would
        # change what another thread is speaking.
        try:
            with seeded(0):
                model = TTSModel.load_model(config=config_file)
        except (ValidationError, KeyError, TypeError) as error:
            raise corrupt(folder / CONFIG, error) from error
        except (SafetensorError, RuntimeError, OSError) as error:
            raise corrupt(folder / WEIGHTS, error) from error
        except Exception as error:  # tokenizers raises nothing narrower
            if type(error) not in (Exception, AssertionError):
                raise
            raise corrupt(_tokenizer(folder), error) from error
    _check_cloning(model, folder)
    # All queued frames at once would be a little faster, but rounding then depends on how many
    # wait: the same seed would not give the same samples.
    model.max_decoder_frames_per_call = 1
    return model.eval().requires_grad_(False)


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Importing pocket_tts sets torch's threads to one for the whole process."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _check_cloning(model: Any, folder: Path) -> None:
    """The weights that are published without cloning have a zeroed encoder."""
    silent = not any(weight.any() for weight in model.mimi.encoder.parameters())
    if silent or not model.has_voice_cloning:
        raise CloningMissingError(
            _("These weights of Pocket TTS are those without voice cloning."),
            _(_NO_CLONING_REMEDY),
            details=str(folder),
        )


def _write_config(folder: Path, variant: str, target: Path) -> None:
    own = folder / CONFIG
    source = own if own.is_file() else _package_config(variant)
    try:
        config = yaml.safe_load(source.read_text(encoding="utf-8"))
        config["weights_path"] = str(folder / WEIGHTS)
        # Without these two nothing can be fetched, nor loaded in place of the weights.
        config["weights_path_without_voice_cloning"] = None
        config["flow_lm"]["weights_path"] = config["mimi"]["weights_path"] = None
        config["flow_lm"]["lookup_table"]["tokenizer_path"] = str(_tokenizer(folder))
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise corrupt(source, error) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(target, yaml.safe_dump(config, allow_unicode=True).encode("utf-8"))


def _package_config(variant: str) -> Path:
    with _threads_kept():
        from pocket_tts.utils.config import CONFIGS_DIR
    return Path(CONFIGS_DIR) / f"{variant}.yaml"


def _tokenizer(folder: Path) -> Path:
    found = [folder / name for name in TOKENIZERS if (folder / name).is_file()]
    return found[0] if found else folder / TOKENIZERS[0]
