"""One loaded XTTS: recordings become latents, text and latents become sound."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modules.core_components.ai_models.engines.xtts.checkpoint import assemble
from modules.core_components.ai_models.engines.xtts.options import XttsOptions
from modules.core_components.ai_models.engines.xtts.text_form import missing_reader
from modules.core_components.ai_models.model_utils import RandomStream, module_bytes
from modules.core_components.progress import CancelToken
from modules.core_components.text.sentences import cut_evenly
from modules.core_components.values import FloatArray

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self


# The decoder's receptive field on either side, in frames of 256 samples: 3 by its first layer, 7.5
# by the widest residual block behind the first upsampling (its kernels of 11, dilated by 1, 3 and
# 5, reach 60 samples at 8 a frame), about 2.5 by all the others.
_REACH_FRAMES = 16


class StreamingDecoder:
    """Decodes latents chunk by chunk, with the same samples as decoding them as a whole.

    coqui's streaming decodes everything from the beginning for every chunk and cross-fades the
    seams. Here a chunk is decoded with the decoder's receptive field around it. Not thread-safe.
    `decoder` is coqui's `HifiDecoder`, `speaker_embedding` float32 [1, 512, 1] on its device;
    `speed` stretches the latents as coqui does.
    """

    def __init__(self, decoder: Any, speaker_embedding: torch.Tensor, speed: float) -> None:
        self._decoder = decoder
        self._speaker = speaker_embedding
        self._scales = [
            1.0 / speed,
            decoder.ar_mel_length_compression / decoder.output_hop_length,
            decoder.output_sample_rate / decoder.input_sample_rate,
        ]
        self._latents: list[torch.Tensor] = []
        self._done_frames = 0

    def feed(self, latents: list[torch.Tensor], last: bool) -> FloatArray:
        """The samples float32 [n] that no later latents can change, after the next latents [1,
        width] each; with `last`, all that is left.
        """
        import torch

        self._latents += latents
        if not self._latents:
            return np.zeros(0, np.float32)
        frames = torch.cat(self._latents)[None].transpose(1, 2)
        certain = frames.shape[-1]
        for scale in self._scales:
            if scale != 1.0:
                frames = torch.nn.functional.interpolate(frames, scale_factor=scale, mode="linear")
                # Output i lies between the inputs around (i + 0.5) / scale - 0.5; both must be in.
                certain = max(0, math.floor((certain - 0.5) * scale - 0.5))
        end = frames.shape[-1] if last else certain
        ready = end if last else end - _REACH_FRAMES
        if ready <= self._done_frames:
            return np.zeros(0, np.float32)
        start = max(0, self._done_frames - _REACH_FRAMES)
        samples = self._decoder.waveform_decoder(frames[..., start:end], g=self._speaker)
        samples = samples.flatten()
        hop = len(samples) // (end - start)
        fresh = samples[(self._done_frames - start) * hop : (ready - start) * hop]
        self._done_frames = ready
        return np.asarray(fresh.float().cpu().numpy(), np.float32)


CONDITIONING_RATE_HZ = 22_050
SAMPLE_RATE_HZ = 24_000
# As in the published configuration; coqui's functions have other defaults.
CONDITIONING_S = 30
CONDITIONING_CHUNK_S = 4
# Each chunk is this much longer than the one before, up to the most: fewer, larger chunks cost
# less, and playing one lasts longer than computing the next.
_GROWTH = 2.0
_LONGEST_CHUNK = 120


@dataclass(frozen=True, eq=False)
class Latents:
    """A voice as XTTS takes it: float32 [1, 32, width] for the GPT, [1, 512, 1] for the decoder."""

    gpt_cond_latent: FloatArray
    speaker_embedding: FloatArray


class XttsNetwork:
    """The model of a folder, on `device`; not thread-safe, the pool's run slot keeps threads apart.

    Raises ModelMissingError and CorruptFileError that name the file.
    """

    def __init__(self, folder: Path, device: str) -> None:
        self.model = assemble(folder, device)
        self.device = device

    def move_to(self, device: str) -> Self:
        """Moves the weights to another device and returns this model."""
        self.model.to(device)
        self.model.gpt.gpt_inference.cached_prefix_emb = None
        self.device = device
        return self

    @property
    def nbytes(self) -> int:
        return module_bytes(self.model)

    def condition(self, clips: Sequence[FloatArray]) -> Latents:
        """The voice of one or more recordings, float32 [n] each at `CONDITIONING_RATE_HZ`.

        Each gives an equal share of the 30 seconds that are used. A clip must have a third of a
        second.
        """
        import torch

        share = CONDITIONING_S * CONDITIONING_RATE_HZ // len(clips)
        longest = CONDITIONING_S * CONDITIONING_RATE_HZ
        with torch.inference_mode():
            whole = [torch.from_numpy(clip[:longest])[None].to(self.device) for clip in clips]
            embeddings = [
                self.model.get_speaker_embedding(clip, CONDITIONING_RATE_HZ) for clip in whole
            ]
            latent = self.model.get_gpt_cond_latents(
                torch.cat([clip[:, :share] for clip in whole], dim=-1),
                CONDITIONING_RATE_HZ,
                length=CONDITIONING_S,
                chunk_length=CONDITIONING_CHUNK_S,
            )
            embedding = torch.stack(embeddings).mean(dim=0)
        return Latents(latent.cpu().numpy(), embedding.cpu().numpy())

    def fitting_parts(self, text: str, language: str) -> list[str]:
        """`text`, or its parts where it has more tokens than the model can take."""
        most = int(self.model.args.gpt_max_text_tokens) - 1
        if len(self.tokens(text, language)) <= most or len(text) < 2:
            return [text]
        halves = cut_evenly(text, len(text) // 2 + 1)
        return [part for half in halves for part in self.fitting_parts(half, language)]

    def unknown_letters(self, text: str, language: str) -> list[str]:
        """The letters and digits of `text`, each once, for which the vocabulary has no token: the
        model would pass over them without a word.

        Raises BadInputError where the package that reads the language is not installed."""
        tokenizer = self.model.tokenizer
        try:
            prepared = tokenizer.preprocess_text(text.strip(), language.split("-")[0])
        except ImportError as error:
            raise missing_reader(error) from error
        known = tokenizer.tokenizer.get_vocab()
        return [one for one in dict.fromkeys(prepared) if one.isalnum() and one not in known]

    def without_unknown_signs(self, text: str) -> str:
        """The text without symbols (emoji and the like) for which there is no token."""
        known = self.model.tokenizer.tokenizer.get_vocab()
        return "".join(
            one
            for one in text
            if one in known or unicodedata.category(one) not in ("So", "Sk", "Co", "Cn", "Cf")
        )

    def generate(
        self, text: str, voice: Latents, options: XttsOptions, seed: int
    ) -> XttsGeneration:
        """The speaking of one piece of text, which `fitting_parts` has found to fit."""
        return XttsGeneration(self, self.tokens(text, options.language), voice, options, seed)

    def tokens(self, text: str, language: str) -> list[int]:
        """The numbers that the model gets of a text, as a training on the same text gives it.

        Not in small letters before: coqui's cleaners know that of a Turkish İ better.
        """
        return list(self.model.tokenizer.encode(text.strip(), lang=language))


class XttsGeneration:
    """A piece of text spoken chunk by chunk; in between, the model may speak something else."""

    def __init__(
        self,
        network: XttsNetwork,
        tokens: Sequence[int],
        voice: Latents,
        options: XttsOptions,
        seed: int,
    ) -> None:
        import torch

        self._gpt = network.model.gpt
        self._draws = RandomStream(seed)
        device = network.device
        self._decoder = StreamingDecoder(
            network.model.hifigan_decoder,
            torch.from_numpy(voice.speaker_embedding).to(device),
            options.speed,
        )
        with torch.inference_mode():
            self._inputs = self._gpt.compute_embeddings(
                torch.from_numpy(voice.gpt_cond_latent).to(device),
                torch.tensor([list(tokens)], dtype=torch.int32, device=device),
            )
        self._prefix = self._gpt.gpt_inference.cached_prefix_emb
        self._latents = self._sample_latents(options)
        self._wanted = float(options.stream_chunk_size)
        self.finished = False

    def next_chunk(self, cancel: CancelToken) -> FloatArray:
        """The next samples, float32 [n] at 24 kHz, perhaps none; `finished` after the last.

        Raises JobCancelled between two sounds of 46 ms.
        """
        import torch

        with torch.inference_mode():
            fresh = self._fresh_latents(int(self._wanted), cancel)
            self._wanted = min(self._wanted * _GROWTH, max(self._wanted, _LONGEST_CHUNK))
            cancel.raise_if_cancelled()
            return np.clip(self._decoder.feed(fresh, self.finished), -1.0, 1.0)

    def _fresh_latents(self, count: int, cancel: CancelToken) -> list[torch.Tensor]:
        # The model keeps one prefix; another generation may have set its own meanwhile.
        self._gpt.gpt_inference.store_prefix_emb(self._prefix)
        fresh: list[torch.Tensor] = []
        with self._draws.drawing():
            while len(fresh) < count and not self.finished:
                cancel.raise_if_cancelled()
                latent = next(self._latents, None)
                if latent is None:
                    self.finished = True
                else:
                    fresh.append(latent)
        return fresh

    def _sample_latents(self, options: XttsOptions) -> Iterator[Any]:
        """The latents [1, width] as the GPT draws its codes, until it draws the end."""
        codes = self._gpt.get_generator(
            fake_inputs=self._inputs,
            do_sample=True,
            temperature=options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
            repetition_penalty=options.repetition_penalty,
            length_penalty=1.0,
            num_beams=1,
            num_return_sequences=1,
            output_attentions=False,
            output_hidden_states=True,
            return_dict_in_generate=True,
        )
        for _code, latent in codes:
            yield latent
