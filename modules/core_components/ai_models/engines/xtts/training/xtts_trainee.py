"""XTTS as the loop trains it: coqui's `GPTTrainer` with its losses, data and optimizer.

Clips are read by soundfile and resampled by soxr: torchaudio 2.11 reads only through torchcodec and
an installed FFmpeg, which the studio does without.
"""

from __future__ import annotations

import dataclasses
import json
import random
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.engines.xtts.checkpoint import (
    check_pair,
    corrupt,
    read_checkpoint,
    read_json,
    read_weights,
)
from modules.core_components.ai_models.engines.xtts.text_form import has_new_tokens
from modules.core_components.ai_models.engines.xtts.training.plan import (
    ADAMW_8BIT,
    AUTOMATIC_WORKERS,
    BF16,
    TrainingPlan,
    TrainingSetup,
)
from modules.core_components.ai_models.engines.xtts.training.trainee import (
    LEAST_BATCH,
    Batch,
    Order,
)
from modules.core_components.ai_models.engines.xtts.vocabulary import with_new_rows
from modules.core_components.audio.resample import resample
from modules.core_components.dataset.values import (
    LONGEST_SAMPLES,
    MOST_TEXT_TOKENS,
    SAMPLE_RATE_HZ,
    TRAIN,
    Clip,
    clip_label,
)
from modules.core_components.errors import CorruptFileError, StudioError
from modules.core_components.text.amharic.front_end import AmharicFrontEnd
from modules.core_components.texts import _

if TYPE_CHECKING:
    import torch
    from TTS.tts.layers.xtts.trainer.dataset import XTTSDataset
    from TTS.tts.layers.xtts.trainer.gpt_trainer import GPTTrainer, GPTTrainerConfig


@dataclass(frozen=True)
class TrainingRow:
    """One clip: `audio_file` relative to the dataset's folder, `subset` "train" or "eval"."""

    clip_id: str
    audio_file: str
    text: str
    speaker: str
    subset: str

    @property
    def for_training(self) -> bool:
        return self.subset == TRAIN

    @property
    def label(self) -> str:
        """How messages name the clip: by the beginning of its text, which the dataset shows."""
        return clip_label(self.text)


def row_of(clip: Clip) -> TrainingRow:
    """The row of a dataset's clip; its text in NFC, as every text is spoken."""
    text = unicodedata.normalize("NFC", clip.text)
    return TrainingRow(clip.id, f"wavs/{clip.id}.wav", text, clip.speaker, clip.subset)


def row_to_json(row: TrainingRow) -> Mapping[str, Any]:
    return asdict(row)


def read_rows(path: Path) -> tuple[TrainingRow, ...]:
    """The rows that a run was begun with. Raises CorruptFileError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return tuple(TrainingRow(**row) for row in content["rows"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(
            _("The rows of the training cannot be read."),
            _("Start a new training from the same dataset."),
            details=f"{path}: {error!r}",
        ) from error


_SHORTEST_S = 0.5  # as coqui's reader has it: shorter clips do not help
# What reading a clip raises, and coqui's tokenizer.
_UNUSABLE = (AssertionError, IndexError, OSError, RuntimeError, ValueError)


@dataclass(frozen=True)
class RejectedClip:
    """A clip that cannot be trained on, and why."""

    clip: str
    reason: str


class Clips:
    """A data set for torch's DataLoader: `clips[epoch, number]`.

    coqui's `source` tokenizes texts and makes batches. Its own choice of clips (at random, with
    replacement, and silently another one where the first is unusable) is not used. Nor is its way
    to read audio, which needs FFmpeg's shared libraries: clips are 16-bit wavs of our own making,
    which soundfile reads. The random choice of the part that the model is conditioned on follows
    from seed, epoch and number.
    """

    def __init__(
        self,
        source: XTTSDataset,
        rows: Sequence[TrainingRow],
        folder: Path,
        language: str,
        seed: int,
        least: int,
    ) -> None:
        self._source = source
        self._rows = tuple(rows)
        self._folder = folder
        self._language = language
        self._seed = seed
        self._least = least

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: tuple[int, int]) -> Mapping[str, Any] | RejectedClip:
        """What `collate` takes for one clip, or why there is nothing."""
        epoch, number = key
        row = self._rows[number]
        random.seed(f"{self._seed}/{epoch}/{number}")
        try:
            return self._read(row)
        except _UNUSABLE as error:  # one bad clip must not end a night's training
            return RejectedClip(row.label, str(error) or type(error).__name__)

    def collate(self, items: Sequence[Mapping[str, Any] | RejectedClip]) -> Batch:
        """One batch of what can be used; without inputs if that is less than `least` clips."""
        good = [dict(item) for item in items if not isinstance(item, RejectedClip)]
        rejected = tuple(
            (item.clip, item.reason) for item in items if isinstance(item, RejectedClip)
        )
        names = tuple(item.pop("clip") for item in good)
        inputs = self._source.collate_fn(good) if len(good) >= self._least else None
        return Batch(inputs, names, rejected)

    def _read(self, row: TrainingRow) -> Mapping[str, Any]:
        import torch

        if not row.text.strip():
            raise ValueError(_("it has no text"))
        tokens = self._source.get_text(row.text, self._language)
        path = self._folder / row.audio_file
        wav = read_clip(path, self._source.sample_rate)
        if wav.shape[-1] < _SHORTEST_S * self._source.sample_rate:
            raise ValueError(_("it is shorter than half a second"))
        if wav.shape[-1] > self._source.max_wav_len:
            longest_s = self._source.max_wav_len / self._source.sample_rate
            raise ValueError(_("it is longer than {longest_s:.1f} s", longest_s=longest_s))
        if tokens.shape[0] > self._source.max_text_len:
            most = self._source.max_text_len
            raise ValueError(_("its text has more than {most} tokens", most=most))
        conditioning, stretch = self._conditioning(wav)
        masked = self._source.use_masking_gt_prompt_approach
        return {
            "clip": row.label,
            "text": tokens,
            "text_lengths": torch.tensor(tokens.shape[0]),
            "wav": wav,
            "wav_lengths": torch.tensor(wav.shape[-1]),
            "filenames": str(path),
            "conditioning": conditioning.unsqueeze(1),
            # Not a number stands for "not used": the loss takes either the part or its length.
            "cond_lens": torch.tensor([torch.nan if masked else conditioning.shape[-1]]),
            "cond_idxs": torch.tensor(stretch if masked else torch.nan),
        }

    def _conditioning(self, wav: torch.Tensor) -> tuple[torch.Tensor, list[int]]:
        """A part of `wav` [1, n], padded to the longest that is taken, and where it lies.

        As in coqui's `get_prompt_slice`: at random for training, from the start for evaluation;
        of a clip that is too short, half of it.
        """
        import torch

        shortest = self._source.min_conditioning_length
        longest = self._source.max_conditioning_length
        is_eval, samples = self._source.is_eval, wav.shape[-1]
        wanted = (shortest + longest) // 2 if is_eval else random.randint(shortest, longest)
        length = wanted if wanted <= samples else samples // 2
        start = 0 if is_eval else random.randint(0, samples - length)
        part = wav[:, start : start + length]
        padded = torch.nn.functional.pad(part, pad=(0, longest - length))
        return padded, [start, start + length]


def read_clip(path: Path, sample_rate_hz: int) -> torch.Tensor:
    """A wav as mono float32 [1, n] in -1 to 1, at that rate. Raises OSError or RuntimeError."""
    import soundfile
    import torch

    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    mono = resample(samples.mean(axis=1), rate_hz, sample_rate_hz)
    return torch.from_numpy(mono).clip(-1, 1).unsqueeze(0)


_MOST_WORKERS = 4
_WORKER_TIMEOUT_S = 300.0
# Those of coqui's recipe for fine-tuning XTTS v2 (recipes/ljspeech/xtts_v2).
_ADAMW = {"betas": (0.9, 0.96), "eps": 1e-8, "weight_decay": 1e-2}
_MAKES_CODES = ("encoder.", "codebook.")


def trainer_config(setup: TrainingSetup) -> GPTTrainerConfig:
    """The sizes of the base model, with what the recipe and the plan say about training it."""
    from TTS.tts.configs.xtts_config import XttsAudioConfig
    from TTS.tts.layers.xtts.trainer.gpt_trainer import GPTArgs, GPTTrainerConfig

    base = read_json(setup.config)["model_args"]
    known = {item.name for item in dataclasses.fields(GPTArgs)}
    sizes = {name: value for name, value in base.items() if name in known and value is not None}
    longest = min(LONGEST_SAMPLES, int(setup.plan.max_clip_s * SAMPLE_RATE_HZ))
    training = {
        "max_wav_length": longest,
        "max_text_length": MOST_TEXT_TOKENS,
        "tokenizer_file": str(setup.vocabulary),
        "mel_norm_file": str(setup.mel_norms),
        "dvae_checkpoint": str(setup.dvae),
        # coqui's loader would write the file anew in place; `load_base` does not.
        "xtts_checkpoint": "",
        "gpt_checkpoint": "",
    }
    return GPTTrainerConfig(
        model_args=GPTArgs(**{**sizes, **training}),
        audio=XttsAudioConfig(),
        lr=setup.plan.learning_rate,
        optimizer="AdamW",
        optimizer_params=dict(_ADAMW),
        optimizer_wd_only_on_weights=True,
        training_seed=setup.plan.seed,
    )


def loading_processes(plan: TrainingPlan, language: str, platform: str = sys.platform) -> int:
    """How many processes read clips.

    None on Windows and macOS, where each would import everything anew for each epoch, and for
    Japanese, whose tokenizer cannot be sent to another process.
    """
    if language.startswith("ja"):
        return 0
    if plan.workers != AUTOMATIC_WORKERS:
        return plan.workers
    from modules.core_components.ai_models.model_utils import usable_cores

    return 0 if platform in ("win32", "darwin") else min(_MOST_WORKERS, usable_cores() - 1)


def _checkpoint_gradients(network: Any) -> None:
    """Has the layers of coqui's GPT, which are transformers', compute their activations again.

    coqui builds them without, and removes the embedding that transformers' public
    `gradient_checkpointing_enable` looks for at its end; this is what it calls before.
    """
    from torch.utils.checkpoint import checkpoint

    again = partial(checkpoint, use_reentrant=False)
    network._set_gradient_checkpointing(enable=True, gradient_checkpointing_func=again)


def make_optimizer(trainer: GPTTrainer, plan: TrainingPlan) -> torch.optim.Optimizer:
    """coqui's AdamW with its groups of parameters, or bitsandbytes' of 8 bits with the same.

    Raises StudioError without bitsandbytes.
    """
    adamw: torch.optim.Optimizer = trainer.get_optimizer()
    if plan.optimizer != ADAMW_8BIT:
        return adamw
    try:
        from bitsandbytes.optim import AdamW8bit
    except Exception as error:  # it fails in many ways where its CUDA library does not load
        raise StudioError(
            _("The optimizer adamw8bit needs the package bitsandbytes, which does not load."),
            _("Install the studio for CUDA again (install.sh --cuda), or choose adamw."),
            details=repr(error),
        ) from error
    groups = [{**group, "params": list(group["params"])} for group in adamw.param_groups]
    small: torch.optim.Optimizer = AdamW8bit(groups, lr=plan.learning_rate, **_ADAMW)
    return small


def _tokenizer(vocabulary: Path, front_end: AmharicFrontEnd | None) -> Any:
    from modules.core_components.ai_models.engines.xtts.tokenizer import TrainingTokenizer

    return TrainingTokenizer(vocabulary, front_end)


class XttsTrainee:
    """The trainer on its device, with the clips of both sets. See `Trainee`.

    Raises CorruptFileError for files that do not belong together, ModelMissingError.
    """

    def __init__(self, setup: TrainingSetup, rows: Sequence[TrainingRow]) -> None:
        import torch
        from TTS.tts.layers.xtts.trainer.gpt_trainer import GPTTrainer

        torch.manual_seed(setup.plan.seed)
        self._setup = setup
        self._device = torch.device(setup.device)
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)  # coqui's code names no number
        self._front_end = AmharicFrontEnd.from_record(setup.front_end)
        self._trainer = GPTTrainer(trainer_config(setup))
        self._trainer.xtts.tokenizer = _tokenizer(setup.vocabulary, self._front_end)
        self._load_base()
        self._trainer.to(self._device).eval()
        train = [row for row in rows if row.for_training]
        self.clips = len(train)
        self._train_clips = self._clips(train, is_eval=False)
        self._eval_clips = self._clips([r for r in rows if not r.for_training], is_eval=True)
        self.trainable: torch.nn.Module = self._trainer.xtts.gpt
        if setup.plan.gpt_checkpointing:
            _checkpoint_gradients(self._trainer.xtts.gpt.gpt)
        self.optimizer = make_optimizer(self._trainer, setup.plan)

    def batches(self, wanted: Sequence[Order], epoch: int) -> Iterator[Batch]:
        return self._loaded(self._train_clips, wanted, epoch)

    def loss(self, batch: Batch) -> torch.Tensor:
        self.trainable.train()  # the rest stays as it is: only the GPT learns
        _unused, losses = self._forward(batch, self._trainer.train_step)
        return losses["loss"]

    def evaluation(self) -> Iterator[tuple[float, Batch]]:
        size, count = self._setup.plan.batch_size, len(self._eval_clips)
        wanted = [tuple(range(at, min(at + size, count))) for at in range(0, count, size)]
        for batch in self._loaded(self._eval_clips, wanted, 0):
            if batch.inputs is None:
                yield float("nan"), batch
                continue
            self.trainable.eval()
            _unused, losses = self._forward(batch, self._trainer.eval_step)
            yield float(losses["loss"]), batch

    def weights(self) -> Mapping[str, Any]:
        """The trainer's layout, which coqui's own tools read, without the DVAE: that never changes
        and every loader skips it."""
        state = self._trainer.state_dict()
        return {"model": {name: t for name, t in state.items() if not name.startswith("dvae.")}}

    def gpu_bytes(self) -> int | None:
        """The most memory that the training has taken on its GPU so far; None without one."""
        import torch

        if self._device.type != "cuda":
            return None
        return int(torch.cuda.max_memory_reserved(self._device))

    def _load_base(self) -> None:
        weights: Mapping[str, Any] = read_weights(self._setup.weights)
        if has_new_tokens(self._front_end):
            vocabulary = read_json(self._setup.vocabulary)
            weights = with_new_rows(weights, vocabulary, self._setup.plan.seed)
        check_pair(weights, self._setup.weights, self._setup.vocabulary)
        loaded = self._trainer.xtts.load_state_dict(weights, strict=False)
        lacking = [name for name in loaded.missing_keys if name.startswith("gpt.")]
        if lacking:
            raise corrupt(self._setup.weights, f"it has no {lacking[0]}")
        # coqui takes what it finds in the DVAE's file and leaves the rest random.
        codes = [n for n in self._trainer.dvae.state_dict() if n.startswith(_MAKES_CODES)]
        given = read_checkpoint(self._setup.dvae)
        lacking = [name for name in codes if name not in given]
        if lacking:
            raise corrupt(self._setup.dvae, f"it has no {lacking[0]}")

    def _clips(self, rows: Sequence[TrainingRow], is_eval: bool) -> Clips:
        from TTS.tts.layers.xtts.trainer.dataset import XTTSDataset

        trainer = self._trainer
        source = XTTSDataset(
            trainer.config, [], trainer.xtts.tokenizer, trainer.config.audio.sample_rate, is_eval
        )
        setup = self._setup
        return Clips(
            source,
            rows,
            setup.dataset_folder,
            setup.language,
            setup.plan.seed,
            least=1 if is_eval else LEAST_BATCH,
        )

    def _loaded(self, clips: Clips, wanted: Sequence[Order], epoch: int) -> Iterator[Batch]:
        import torch

        workers = loading_processes(self._setup.plan, self._setup.language)
        loader: Iterable[Batch] = torch.utils.data.DataLoader(
            clips,  # type: ignore[arg-type]  # has what a map-style data set needs
            batch_sampler=[[(epoch, number) for number in batch] for batch in wanted],
            collate_fn=clips.collate,
            num_workers=workers,
            timeout=_WORKER_TIMEOUT_S if workers else 0,
            # Of its own, since making an iterator draws from it.
            generator=torch.Generator(),
        )
        return iter(loader)

    def _forward(self, batch: Batch, step: Any) -> tuple[Any, Mapping[str, torch.Tensor]]:
        import torch

        inputs = {
            name: value.to(self._device) if isinstance(value, torch.Tensor) else value
            for name, value in batch.inputs.items()
        }
        inputs = self._trainer.format_batch_on_device(inputs)
        bf16 = self._setup.plan.precision == BF16
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=bf16):
            outputs: tuple[Any, Mapping[str, torch.Tensor]] = step(inputs, None)
        return outputs
