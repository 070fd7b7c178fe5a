"""What a user decides about a training of XTTS, with ranges and reasons."""

from __future__ import annotations

from dataclasses import dataclass

from modules.core_components.ai_models.engines.base import option

FP32, BF16 = "fp32", "bf16"
AUTOMATIC_WORKERS = -1


@dataclass(frozen=True)
class TrainingPlan:
    """One training. Defaults are those coqui's own recipe uses for fine-tuning, where it has one
    (learning rate, clip length), and otherwise what keeps a short training safe.

    A *step* is one change of the weights: `batch_size` times `accumulation` clips. An *epoch*
    hears every clip of the training set once. Batches of one clip are never made: XTTS masks the
    stretch of the last clip that it was conditioned on, and where that is the whole batch nothing
    is left to learn from and the loss is NaN.
    """

    epochs: int = option(
        6,
        "Epochs",
        "How often every clip is heard. More than ten on minutes of audio mostly learns by heart.",
        minimum=1,
        maximum=1000,
        step=1,
    )
    batch_size: int = option(
        4,
        "Batch size",
        "Clips at once; takes memory. At least 2.",
        minimum=2,
        maximum=512,
        step=1,
    )
    accumulation: int = option(
        1,
        "Accumulation",
        "Batches that make one step: the effect of a larger batch without its memory.",
        minimum=1,
        maximum=512,
        step=1,
    )
    learning_rate: float = option(
        5e-6,
        "Learning rate",
        "How far one step goes. Higher learns faster and forgets the base model sooner.",
        minimum=1e-8,
        maximum=1e-2,
    )
    warmup_steps: int = option(
        0,
        "Warm-up steps",
        "Steps over which the learning rate rises from nothing to its value.",
        minimum=0,
        maximum=100_000,
        step=1,
    )
    max_clip_s: float = option(
        11.6,
        "Longest clip (s)",
        "Longer clips are left out; shorter ones save memory.",
        minimum=2.0,
        maximum=11.6,
        step=0.1,
    )
    precision: str = option(
        FP32,
        "Precision",
        "bf16 is faster and smaller on recent GPUs; fp32 works everywhere.",
        choices=(FP32, BF16),
    )
    gradient_clipping: float = option(
        1.0,
        "Gradient clipping",
        "Longest step the gradients may ask for, by their norm; 0 leaves them as they are.",
        minimum=0.0,
        maximum=1000.0,
        step=0.1,
    )
    early_stopping: int = option(
        3,
        "Early stopping",
        "Epochs without a better evaluation loss after which training ends; 0 never does.",
        minimum=0,
        maximum=1000,
        step=1,
    )
    checkpoint_minutes: float = option(
        10.0,
        "Minutes between checkpoints",
        "What a crash can cost at most; each epoch's end is kept as well.",
        minimum=0.01,
        maximum=24 * 60.0,
    )
    keep_checkpoints: int = option(
        3,
        "Checkpoints kept",
        "The best ones by evaluation loss stay, to be judged by ear and by numbers.",
        minimum=1,
        maximum=20,
        step=1,
    )
    workers: int = option(
        AUTOMATIC_WORKERS,
        "Loading processes",
        "Processes that read clips; -1 chooses by system and language.",
        minimum=AUTOMATIC_WORKERS,
        maximum=16,
        step=1,
    )
    seed: int = option(
        1,
        "Seed",
        "The same seed on the same clips and machine gives the same order and draws.",
        minimum=0,
        maximum=2**31 - 1,
        step=1,
    )
