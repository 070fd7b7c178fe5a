"""Kokoro as a loaded network: phonemes and a style in, 24 kHz speech and phoneme durations out.

Two versions: v1.0, and v0.19, which has another layout on disk and other symbols.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modules.core_components.ai_models.engines.kokoro.network import build_kmodel, read_config
from modules.core_components.ai_models.engines.kokoro.pipeline import (
    KokoroPipeline,
    SynthesizedChunk,
)
from modules.core_components.ai_models.engines.kokoro.precision import Precision, speaking_layers
from modules.core_components.ai_models.engines.kokoro.reading.languages import language_of
from modules.core_components.ai_models.engines.kokoro.symbols import (
    SPELLED_OUT,
    styletts2_vocabulary,
)
from modules.core_components.ai_models.engines.kokoro.voices import SpeakingVoice, VoiceFolder
from modules.core_components.ai_models.model_utils import module_bytes
from modules.core_components.errors import BadInputError
from modules.core_components.texts import _

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from typing_extensions import Self

    from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "kokoro-v1_0.pth"
TIMBRE_SIZE = 128  # a style [256] is the voice's timbre, then its prosody


@dataclass(frozen=True, eq=False)
class Prosody:
    """What the decoder makes speech of.

    `text` [1, 512, frames] is the encoded text laid out in time, `pitch_hz` and `energy`
    [1, 2 * frames]; `durations_frames` int64 [phonemes + 2], frames of 1/40 s, with the pauses
    at both ends.
    """

    text: Tensor
    pitch_hz: Tensor
    energy: Tensor
    durations_frames: Tensor


def predict_prosody(kmodel: Any, ids: Tensor, style: Tensor, speed: float) -> Prosody:
    """The prosody of `ids` int64 [1, phonemes + 2] in `style` [1, 256], `speed` times as fast.

    The steps are those of `kokoro.KModel.forward_with_tokens`, up to its call of the decoder.
    """
    import torch

    length = ids.shape[1]
    lengths = torch.tensor([length], device=ids.device)
    nothing_hidden = torch.zeros(1, length, dtype=torch.bool, device=ids.device)
    manner = style[:, TIMBRE_SIZE:]
    encoded = kmodel.bert(ids, attention_mask=(~nothing_hidden).int())
    encoded = kmodel.bert_encoder(encoded).transpose(-1, -2)
    predictor = kmodel.predictor
    features = predictor.text_encoder(encoded, manner, lengths, nothing_hidden)
    hidden, _unused = predictor.lstm(features)
    spans = torch.sigmoid(predictor.duration_proj(hidden)).sum(-1) / speed
    durations = torch.round(spans).clamp(min=1).long().reshape(-1)
    positions = torch.arange(length, device=ids.device)
    phoneme_of_frame = torch.repeat_interleave(positions, durations)
    pitch, energy = predictor.F0Ntrain(features.transpose(-1, -2)[:, :, phoneme_of_frame], manner)
    text = kmodel.text_encoder(ids, lengths, nothing_hidden)[:, :, phoneme_of_frame]
    return Prosody(text, pitch, energy, durations)


class KokoroV1Wrapper:
    """A loaded Kokoro v1.0, on `device`.

    Raises ModelMissingError and CorruptFileError that name the file. Not safe for two
    threads at once; the pool's run slot keeps them apart.
    """

    def __init__(
        self,
        config_path: str | Path,
        model_path: str | Path,
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> None:
        config_path, model_path = Path(config_path), Path(model_path)
        self.voices = VoiceFolder(model_path.parent / "voices")
        self.model = self._load(config_path, model_path).to(device).eval()
        self.model.requires_grad_(False)
        self.vocabulary: Mapping[str, int] = self.model.vocab
        self.device = device
        self._precision = precision
        self._decoder = self._make_decoder()
        self.pipelines: dict[str, KokoroPipeline] = {}

    @staticmethod
    def _load(config_path: Path, model_path: Path) -> Any:
        return build_kmodel(read_config(config_path), config_path, model_path)

    @staticmethod
    def read_phonemes(config_path: Path) -> frozenset[str]:
        """The phonemes that `synthesize` takes, from the configuration alone; raises as loading."""
        return frozenset(read_config(config_path)["vocab"])

    def move_to(self, device: str) -> Self:
        """Moves the weights to another device and returns this model."""
        self.model.to(device)
        self.device = device
        self._decoder = self._make_decoder()
        return self

    @property
    def nbytes(self) -> int:
        """The memory of the weights, with the decoder's rearranged copy."""
        copied = sum(p.numel() for p in self.model.decoder.parameters())
        numbers = copied + self._layers.extra_numbers
        return module_bytes(self.model) + numbers * self._decoder.dtype.itemsize

    def get_pipeline(self, lang_code: str) -> KokoroPipeline:
        """The pipeline of a language ("en", "en-us", or Kokoro's letter "a"), made at the first
        call and kept in `pipelines`, by its code and by the name that it was asked for.

        One that failed is not kept, so the next call tries again.
        Raises BadInputError for an unknown language, StudioError when its packages do not load.
        """
        code = language_of(lang_code).code
        if code not in self.pipelines:
            self.pipelines[code] = KokoroPipeline(code, self)
        return self.pipelines.setdefault(lang_code, self.pipelines[code])

    def voice(self, name: str) -> SpeakingVoice:
        """A voice or a mix from the folder `voices` next to the weights. Raises BadInputError."""
        return SpeakingVoice(self.voices.pack(name))

    async def forward(
        self, text: str, voice: str, lang_code: str, speed: float = 1.0, seed: int = 0
    ) -> AsyncIterator[torch.FloatTensor]:
        """The audio of `text` chunk by chunk, float32 [n] at 24 kHz, computed in a thread.

        `voice` is a name or a mix from the folder `voices` next to the weights. Errors in the
        input are raised before the first chunk.
        """
        pipeline = await asyncio.to_thread(self.get_pipeline, lang_code)
        results = await asyncio.to_thread(pipeline, text, voice, speed, seed)
        while (result := await asyncio.to_thread(next, results, None)) is not None:
            if result.audio is not None:
                yield result.audio

    def synthesize(
        self,
        phonemes: str,
        style: torch.Tensor,
        speed: float = 1.0,
        seed: int = 0,
        layer_offsets: torch.Tensor | None = None,
        check_cancelled: Callable[[], None] = lambda: None,
    ) -> SynthesizedChunk:
        """Speaks `phonemes` in `style` (float32 [1, 256]), `speed` times as fast as usual.

        `layer_offsets` [layers, 128] are added to the timbre of each AdaIN layer. The vocoder's
        noise comes from `seed` alone. `check_cancelled` is called between layers; what it raises
        ends the synthesis. Raises BadInputError for unknown phonemes, none, or too many.
        """
        import torch

        ids = [self.vocabulary[symbol] for symbol in self._symbols(phonemes)]
        with torch.inference_mode():
            tokens = torch.tensor([[0, *ids, 0]], dtype=torch.long, device=self.device)
            style = style.to(self.device)
            prosody = predict_prosody(self.model, tokens, style, speed)
            source = self._decoder.excitation(prosody.pitch_hz, torch.Generator().manual_seed(seed))
            timbre = style[:, :TIMBRE_SIZE]
            if layer_offsets is not None:
                timbre = timbre + layer_offsets.to(timbre)
            check_cancelled()
            audio = self._decoder(
                prosody.text, prosody.pitch_hz, prosody.energy, timbre, source, check_cancelled
            )
        return SynthesizedChunk(
            samples=audio.float().cpu().numpy(),
            durations_frames=self._of_phonemes(phonemes, prosody.durations_frames.cpu().numpy()),
        )

    def _symbols(self, phonemes: str) -> str:
        """`phonemes` in the symbols of the vocabulary; raises BadInputError for unknown ones."""
        unknown = sorted(set(phonemes) - set(self.vocabulary))
        if unknown:
            raise BadInputError(
                _("Kokoro has no sound for {unknown}.", unknown=", ".join(map(repr, unknown))),
                _("Use the phonemes of its vocabulary."),
            )
        most = int(self.model.context_length) - 2  # two places mark the ends
        if not 0 < len(phonemes) <= most:
            raise BadInputError(
                _(
                    "Kokoro speaks 1 to {most} phonemes at once, not {count}.",
                    most=most,
                    count=len(phonemes),
                )
            )
        return phonemes

    def _of_phonemes(self, phonemes: str, durations_frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """The durations of the phonemes, from those of their symbols; here the two are the same."""
        return durations_frames

    def _make_decoder(self) -> FastDecoder:
        import torch

        from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder

        self._layers = speaking_layers(self._precision)
        with torch.inference_mode():
            return FastDecoder(self.model.decoder, self._layers)


# -- Kokoro v0.19, the first release ---------------------------------------------------------------
# Its checkpoint holds the parts one level deeper; its configuration has neither the vocabulary
# (StyleTTS2's 178 symbols) nor the sizes of the ALBERT. It was trained on espeak-ng's spelling of
# sounds, so misaki's short signs are written out.

V0_19_WEIGHTS_FILE = "kokoro-v0_19.pth"
_WITHIN = "net"

_ALBERT = {
    "hidden_size": 768,
    "num_attention_heads": 12,
    "intermediate_size": 2048,
    "max_position_embeddings": 512,
    "num_hidden_layers": 12,
}


class KokoroV019Wrapper(KokoroV1Wrapper):
    """A loaded Kokoro v0.19; see `KokoroV1Wrapper`."""

    @staticmethod
    def _load(config_path: Path, model_path: Path) -> Any:
        config = read_config(config_path, _complete_config)
        return build_kmodel(config, config_path, model_path, _WITHIN)

    @staticmethod
    def read_phonemes(config_path: Path) -> frozenset[str]:
        return frozenset(read_config(config_path, _complete_config)["vocab"]) | frozenset(
            SPELLED_OUT
        )

    def _symbols(self, phonemes: str) -> str:
        return super()._symbols("".join(SPELLED_OUT.get(sound, sound) for sound in phonemes))

    def _of_phonemes(self, phonemes: str, durations_frames: NDArray[np.int64]) -> NDArray[np.int64]:
        counts = [len(SPELLED_OUT.get(sound, sound)) for sound in phonemes]
        starts = np.cumsum([0, 1, *counts])
        total: NDArray[np.int64] = np.add.reduceat(durations_frames, starts)
        return total


def _complete_config(config: dict[str, Any]) -> dict[str, Any]:
    """A v0.19 configuration in the form of v1.0; what it names itself is kept."""
    old_decoder = config.get("decoder", {})
    decoder = {name: value for name, value in old_decoder.items() if name != "type"}
    return {"istftnet": decoder, "plbert": _ALBERT, **config, "vocab": styletts2_vocabulary()}


@dataclass(frozen=True)
class Build:
    """How to load a version of Kokoro."""

    wrapper: type[KokoroV1Wrapper]
    weights_file: str


BUILDS: Mapping[str, Build] = {
    "1.0": Build(KokoroV1Wrapper, WEIGHTS_FILE),
    "0.19": Build(KokoroV019Wrapper, V0_19_WEIGHTS_FILE),
}
