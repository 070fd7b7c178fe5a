"""Kokoro v1.0: phonemes and a style in, 24 kHz speech and the duration of every phoneme out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modules.core_components.ai_models.engines.kokoro.checkpoint import build_kmodel, read_config
from modules.core_components.ai_models.engines.kokoro.pipeline import KokoroPipeline
from modules.core_components.ai_models.engines.kokoro.precision import Precision
from modules.core_components.ai_models.engines.kokoro.reading.languages import language_of
from modules.core_components.ai_models.engines.kokoro.speaking_voice import SpeakingVoice
from modules.core_components.ai_models.engines.kokoro.utterance import Utterance
from modules.core_components.ai_models.engines.kokoro.voices import VoiceFolder
from modules.core_components.ai_models.model_utils import module_bytes
from modules.core_components.errors import BadInputError
from modules.core_components.values import FloatArray

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

    from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "kokoro-v1_0.pth"
TIMBRE_SIZE = 128  # a style is the voice's timbre, then its prosody


class KokoroV1Wrapper:
    """One loaded Kokoro v1.0, on `device`.

    Raises ModelMissingError and CorruptFileError that name the file. Not for two threads at once:
    the pool's run slot sees to that.
    """

    def __init__(
        self,
        config_path: Path,
        model_path: Path,
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> None:
        self.voices = VoiceFolder(model_path.parent / "voices")
        self.model = self._load(config_path, model_path).to(device).eval()
        self.model.requires_grad_(False)
        self.vocabulary: Mapping[str, int] = self.model.vocab
        self.device = device
        self._precision = precision
        self._decoder = self._speaking_decoder()
        self._pipelines: dict[str, KokoroPipeline] = {}

    @staticmethod
    def _load(config_path: Path, model_path: Path) -> Any:
        return build_kmodel(read_config(config_path), config_path, model_path)

    @staticmethod
    def readable(config_path: Path) -> frozenset[str]:
        """The phonemes that `synthesize` takes, without loading the model; raises as loading."""
        return frozenset(read_config(config_path)["vocab"])

    def moved_to(self, device: str) -> Self:
        """This model, now on another device."""
        self.model.to(device)
        self.device = device
        self._decoder = self._speaking_decoder()
        return self

    @property
    def nbytes(self) -> int:
        """What the weights take, with the decoder's rearranged copy of its own."""
        copied = sum(p.numel() for p in self.model.decoder.parameters())
        return module_bytes(self.model) + copied * self._decoder.dtype.itemsize

    def get_pipeline(self, lang_code: str) -> KokoroPipeline:
        """The way from a text of that language ("en-us", or Kokoro's letter "a") to sound.

        Made when it is first asked for; one that failed is not kept, so the next call tries again.
        Raises BadInputError for an unknown language, StudioError when its packages do not load.
        """
        code = language_of(lang_code).code
        if code not in self._pipelines:
            self._pipelines[code] = KokoroPipeline(
                code, frozenset(self.vocabulary), self.synthesize
            )
        return self._pipelines[code]

    async def forward(
        self, text: str, voice: str, lang_code: str, speed: float = 1.0, seed: int = 0
    ) -> AsyncIterator[FloatArray]:
        """The audio of `text` piece by piece, float32 [n] at 24 kHz, computed beside the loop.

        `voice` is a name or a mix from the folder `voices` beside the weights. Everything that can
        be wrong is raised before the first piece.
        """
        speaking = SpeakingVoice(await asyncio.to_thread(self.voices.pack, voice))
        pipeline = await asyncio.to_thread(self.get_pipeline, lang_code)
        pieces = await asyncio.to_thread(pipeline.speak, text, speaking, speed, seed)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece.samples

    def synthesize(
        self,
        phonemes: str,
        style: torch.Tensor,
        speed: float = 1.0,
        seed: int = 0,
        layer_offsets: torch.Tensor | None = None,
        look_up: Callable[[], None] = lambda: None,
    ) -> Utterance:
        """Speaks `phonemes` in `style` (float32 [1, 256]), `speed` times as fast as usual.

        `layer_offsets` [layers, 128] are added to the timbre of each AdaIN layer. The vocoder's
        noise comes from `seed` alone; `look_up` is called every now and then, and what it raises
        ends the work. Raises BadInputError for phonemes that the model does not
        know, for none, or too many.
        """
        import torch

        from modules.core_components.ai_models.engines.kokoro.prosody import predict_prosody

        ids = [self.vocabulary[symbol] for symbol in self._symbols(phonemes)]
        with torch.inference_mode():
            tokens = torch.tensor([[0, *ids, 0]], dtype=torch.long, device=self.device)
            style = style.to(self.device)
            prosody = predict_prosody(self.model, tokens, style, speed)
            source = self._decoder.excitation(prosody.pitch_hz, torch.Generator().manual_seed(seed))
            timbre = style[:, :TIMBRE_SIZE]
            if layer_offsets is not None:
                timbre = timbre + layer_offsets.to(timbre)
            look_up()
            audio = self._decoder(
                prosody.text, prosody.pitch_hz, prosody.energy, timbre, source, look_up
            )
        return Utterance(
            samples=audio.float().cpu().numpy(),
            durations_frames=self._of_phonemes(phonemes, prosody.durations_frames.cpu().numpy()),
        )

    def _symbols(self, phonemes: str) -> str:
        """`phonemes` in the symbols of the vocabulary; BadInputError where there is none."""
        unknown = sorted(set(phonemes) - set(self.vocabulary))
        if unknown:
            raise BadInputError(
                f"Kokoro has no sound for {', '.join(map(repr, unknown))}.",
                "Use the phonemes of its vocabulary.",
            )
        most = int(self.model.context_length) - 2  # two places mark the ends
        if not 0 < len(phonemes) <= most:
            raise BadInputError(f"Kokoro speaks 1 to {most} phonemes at once, not {len(phonemes)}.")
        return phonemes

    def _of_phonemes(self, phonemes: str, durations_frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """The symbols' durations as those of the phonemes; here the two are the same."""
        return durations_frames

    def _speaking_decoder(self) -> FastDecoder:
        import torch

        from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder
        from modules.core_components.ai_models.engines.kokoro.speaking_layers import SpeakingLayers

        with torch.inference_mode():
            layers = SpeakingLayers(getattr(torch, self._precision))
            return FastDecoder(self.model.decoder, layers)
