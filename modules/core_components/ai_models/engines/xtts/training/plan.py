"""The settings of a training of XTTS: options with ranges, presets, and the files it needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from modules.core_components import atomic
from modules.core_components.ai_models.engines.options import (
    describe_options,
    option,
    parse_options,
)
from modules.core_components.ai_models.engines.xtts.text_form import NEW_TOKENS, TRANSLITERATION
from modules.core_components.errors import CorruptFileError
from modules.core_components.texts import _, mark

FP32, BF16 = "fp32", "bf16"
ADAMW, ADAMW_8BIT = "adamw", "adamw8bit"
AUTO, AS_SET = "auto", "as set"
AUTOMATIC_WORKERS = -1
ONE_PER_GPU = 0


@dataclass(frozen=True)
class TrainingPlan:
    """One training. Defaults are those coqui's own recipe uses for fine-tuning, where it has one
    (learning rate, clip length), and otherwise what keeps a short training safe.

    A *step* is one change of the weights: `batch_size` times `accumulation` clips, in each of the
    `processes`. An *epoch* takes
    every clip of the training set once. Batches of one clip are never made: XTTS masks the part of
    the last clip that it was conditioned on; where that is the whole batch, the loss is NaN.
    """

    epochs: int = option(
        6, "Epochs",
        "How often every clip is used. More than ten on minutes of audio mostly overfits.",
        minimum=1, maximum=1000, step=1,
    )  # fmt: skip
    vram: str = option(
        AUTO, "Memory preset",
        "auto: batch size, accumulation, precision, longest clip, checkpointing and optimizer are "
        "chosen by the memory of the GPU; what you set otherwise stays, and so does everything "
        "without a GPU.",
        choices=(AUTO, AS_SET),
    )  # fmt: skip
    batch_size: int = option(
        4, "Batch size", "Clips at once; takes memory. At least 2.",
        minimum=2, maximum=512, step=1,
    )  # fmt: skip
    accumulation: int = option(
        1, "Accumulation",
        "Batches that make one step: the effect of a larger batch without its memory.",
        minimum=1, maximum=512, step=1,
    )  # fmt: skip
    learning_rate: float = option(
        5e-6, "Learning rate",
        "How far one step goes. Higher learns faster and forgets the base model sooner.",
        minimum=1e-8, maximum=1e-2,
    )  # fmt: skip
    warmup_steps: int = option(
        0, "Warm-up steps", "Steps over which the learning rate rises from nothing to its value.",
        minimum=0, maximum=100_000, step=1,
    )  # fmt: skip
    max_clip_s: float = option(
        11.6, "Longest clip (s)", "Longer clips are left out; shorter ones save memory.",
        minimum=2.0, maximum=11.6, step=0.1,
    )  # fmt: skip
    precision: str = option(
        FP32, "Precision", "bf16 is faster and smaller on recent GPUs; fp32 works everywhere.",
        choices=(FP32, BF16),
    )  # fmt: skip
    gpt_checkpointing: bool = option(
        False, "Gradient checkpointing",
        "Computes activations again instead of keeping them: the same training in less memory, "
        "about a third slower.",
    )  # fmt: skip
    optimizer: str = option(
        ADAMW, "Optimizer",
        "adamw8bit keeps AdamW's moments in 8 bits: 2.6 GB less. For NVIDIA GPUs; fixed once the "
        "training has begun.",
        choices=(ADAMW, ADAMW_8BIT),
    )  # fmt: skip
    device: str = option(
        AUTO, "Device",
        "auto takes the one in Settings; else cpu, cuda:0, cuda:1 and so on. Trainings on two GPUs "
        "run at the same time.",
    )  # fmt: skip
    processes: int = option(
        ONE_PER_GPU, "Processes",
        "They train together, each with a GPU and batches of its own: a step learns from the clips "
        "of all. 0: one for each GPU of the machine where Device is auto, else one.",
        minimum=ONE_PER_GPU, maximum=256, step=1,
    )  # fmt: skip
    gradient_clipping: float = option(
        1.0, "Gradient clipping", "The largest norm of the gradients; 0 leaves them as they are.",
        minimum=0.0, maximum=1000.0, step=0.1,
    )  # fmt: skip
    early_stopping: int = option(
        3, "Early stopping",
        "Epochs without a better evaluation loss after which training ends; 0 never does.",
        minimum=0, maximum=1000, step=1,
    )  # fmt: skip
    checkpoint_minutes: float = option(
        10.0, "Minutes between checkpoints",
        "How much a crash can lose at most; each epoch's end is kept as well.",
        minimum=0.01, maximum=24 * 60.0,
    )  # fmt: skip
    keep_checkpoints: int = option(
        3, "Checkpoints kept",
        "The best by evaluation loss are kept, to be compared by ear and by numbers.",
        minimum=1, maximum=20, step=1,
    )  # fmt: skip
    new_language: str = option(
        TRANSLITERATION, "Way to a new language",
        "For datasets in Amharic, which XTTS does not have. transliteration: written in letters "
        "that XTTS knows; works with minutes of speech, with an accent. vocabulary: Amharic signs "
        "become tokens of their own; needs ten hours of speech or more.",
        choices=(TRANSLITERATION, NEW_TOKENS),
    )  # fmt: skip
    workers: int = option(
        AUTOMATIC_WORKERS, "Loading processes",
        "Processes that read clips; -1 chooses by system and language.",
        minimum=AUTOMATIC_WORKERS, maximum=16, step=1,
    )  # fmt: skip
    seed: int = option(
        1, "Seed", "The same seed on the same clips and machine gives the same order and draws.",
        minimum=0, maximum=2**31 - 1, step=1,
    )  # fmt: skip


# -- Presets: sets of values to start from ---------------------------------------------------------

QUICK, STANDARD, CAREFUL = "quick", "standard", "careful"

# Learning rates: 5e-6 is what coqui's recipe for fine-tuning takes; twice as much for a first
# impression, a third for long trainings, where a constant rate makes evaluation rise again.
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        QUICK: MappingProxyType(
            {"epochs": 3, "learning_rate": 1e-5, "early_stopping": 0, "keep_checkpoints": 2}
        ),
        STANDARD: MappingProxyType(
            {"epochs": 10, "learning_rate": 5e-6, "early_stopping": 3, "keep_checkpoints": 3}
        ),
        CAREFUL: MappingProxyType(
            {
                "epochs": 30,
                "learning_rate": 2e-6,
                "warmup_steps": 100,
                "accumulation": 4,
                "early_stopping": 5,
                "keep_checkpoints": 5,
            }
        ),
    }
)
ABOUT: Mapping[str, str] = MappingProxyType(
    {
        QUICK: mark("A first impression: is this dataset worth a longer training?"),
        STANDARD: mark("Right for ten minutes to an hour of speech."),
        CAREFUL: mark("Small steps, many epochs and more checkpoints to choose from."),
    }
)


def with_preset(name: str) -> dict[str, Any]:
    """Every option of a plan as the preset has it: its own values, defaults for the others."""
    defaults = {item.name: item.default for item in describe_options(TrainingPlan)}
    return {**defaults, **PRESETS[name]}


def switched(before: str, after: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options when the preset changes: values that the user had changed stay."""
    old, new = with_preset(before), with_preset(after)
    return {
        name: options[name] if options.get(name, old[name]) != old[name] else value
        for name, value in new.items()
    }


def departures(name: str, options: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Where `options` differ from the preset: by label, its value and theirs."""
    labels = {item.name: item.label for item in describe_options(TrainingPlan)}
    return {
        labels[key]: (value, options[key])
        for key, value in with_preset(name).items()
        if key in options and options[key] != value
    }


@dataclass(frozen=True)
class TrainingSetup:
    """All that the process of one start of a training needs.

    `language` is that of the texts (ISO 639-1), `device` torch's name; with `threads` 0 all cores
    are used. The files are those of the base model: weights, configuration and vocabulary of one
    version, and the DVAE with its normalization, which turn audio into codes. `front_end` is the
    record of the one that reads the texts, {} for coqui's own; with new tokens the vocabulary is
    the run's own, and the weights get rows for them. `devices` are those of several processes that
    train together on this machine, one for each; () where a single one trains on `device`.
    """

    plan: TrainingPlan
    language: str
    device: str
    threads: int
    dataset_folder: Path
    weights: Path
    config: Path
    vocabulary: Path
    dvae: Path
    mel_norms: Path
    front_end: Mapping[str, Any] = field(default_factory=dict)
    devices: tuple[str, ...] = ()

    def for_process(self, number: int, processes: int) -> TrainingSetup:
        """What one of `processes` on this machine needs: a device, and its part of the cores."""
        from modules.core_components.ai_models.model_utils import usable_cores

        on_gpu = self.device.startswith("cuda")
        own = f"cuda:{number}" if on_gpu else self.device
        return replace(
            self,
            device=self.devices[number] if number < len(self.devices) else own,
            threads=self.threads or max(1, usable_cores() // processes),
        )

    def write(self, path: Path) -> None:
        """Raises DiskFullError."""
        record: Mapping[str, Any] = {
            **{name: _plain(value) for name, value in vars(self).items()},
            "plan": asdict(self.plan),
            "front_end": dict(self.front_end),
        }
        atomic.write_json(path, record)

    @classmethod
    def read(cls, path: Path) -> TrainingSetup:
        """Raises CorruptFileError, BadInputError for a plan out of its ranges."""
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            plan = parse_options(TrainingPlan, record.pop("plan"))
            language, device, threads = (
                record.pop(key) for key in ("language", "device", "threads")
            )
            front_end = dict(record.pop("front_end", {}))
            devices = tuple(record.pop("devices", ()))
            files = {name: Path(value) for name, value in record.items()}
            return cls(
                plan, language, device, threads, **files, front_end=front_end, devices=devices
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptFileError(
                _("The plan of the training cannot be read."),
                _("Resume the training."),
                details=f"{path}: {error!r}",
            ) from error


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
