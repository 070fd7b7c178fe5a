"""The clips of a training, read by coqui's own `XTTSDataset`, one by one and by number."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.engines.xtts.training.rows import TrainingRow
from modules.core_components.ai_models.engines.xtts.training.trainee import Batch

if TYPE_CHECKING:
    from TTS.tts.layers.xtts.trainer.dataset import XTTSDataset

# What coqui's reader and its audio libraries raise; for too short a clip without a word.
_UNUSABLE = (AssertionError, IndexError, OSError, RuntimeError, ValueError)


@dataclass(frozen=True)
class RejectedClip:
    """A clip that cannot be trained on, and why."""

    clip: str
    reason: str


class Clips:
    """A data set for torch's DataLoader: `clips[epoch, number]`.

    `source` reads audio and text, cuts the stretch that the model is conditioned on, and makes
    batches. Its own way of picking a clip (at random, with replacement, and another one in silence
    where the first is unusable) is left aside. What is random about the stretch follows from
    seed, epoch and number.
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
            return RejectedClip(row.clip_id, str(error) or "it is shorter than half a second")

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

        sample = {
            "text": row.text,
            "audio_file": str(self._folder / row.audio_file),
            "language": self._language,
            "speaker_name": row.speaker,
        }
        tokens, file, wav, conditioning, length, stretch = self._source.load_item(sample)
        if wav.shape[-1] > self._source.max_wav_len:
            longest_s = self._source.max_wav_len / self._source.sample_rate
            raise ValueError(f"it is longer than {longest_s:.1f} s")
        if tokens.shape[0] > self._source.max_text_len:
            raise ValueError(f"its text has more than {self._source.max_text_len} tokens")
        return {
            "clip": row.clip_id,
            "text": tokens,
            "text_lengths": torch.tensor(tokens.shape[0]),
            "wav": wav,
            "wav_lengths": torch.tensor(wav.shape[-1]),
            "filenames": file,
            "conditioning": conditioning.unsqueeze(1),
            "cond_lens": torch.tensor([length]),
            "cond_idxs": torch.tensor(stretch),
        }
