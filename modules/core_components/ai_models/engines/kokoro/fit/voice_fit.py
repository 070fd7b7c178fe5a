"""Voice match: fits a Kokoro voice to a recording by gradient descent.

A Kokoro style is 128 numbers for the timbre and 128 for the prosody. Decoder and prosody predictor
are differentiable in them, so a style can be moved, from the instant match on, until the
renderings are similar to the recording by several independent measures (`losses`). Besides the
shared style every AdaIN layer of the decoder learns a small offset of its own: the stock voices
differ from each other in ways that one style cannot express. Method and results:
docs/voice_fit_study.md.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from modules.core_components.ai_models.engines.campplus_network import CampplusEncoder
from modules.core_components.ai_models.engines.ge2e_network import SpeakerEncoder
from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder
from modules.core_components.ai_models.engines.kokoro.fit.guard import choose_strength
from modules.core_components.ai_models.engines.kokoro.fit.inputs import (
    FitOptions,
    TranscribedSample,
)
from modules.core_components.ai_models.engines.kokoro.fit.instant_match import (
    knows_voices,
    match_instantly,
)
from modules.core_components.ai_models.engines.kokoro.fit.layers import (
    FitLayers,
    nearest_shared_style,
)
from modules.core_components.ai_models.engines.kokoro.fit.losses import (
    Baseline,
    FitEncoders,
    render_baseline,
    rendering_loss,
)
from modules.core_components.ai_models.engines.kokoro.fit.state import FitState
from modules.core_components.ai_models.engines.kokoro.fit.stock_voices import (
    StockVoices,
    scan_stock_voices,
)
from modules.core_components.ai_models.engines.kokoro.fit.target import (
    SAMPLE_RATE_HZ,
    FitTarget,
    long_term_spectrum,
    pitch_statistics,
    sample_frames,
    self_similarity,
    split_sample,
)
from modules.core_components.ai_models.engines.kokoro.fit.text import (
    GUARD_SENTENCES,
    SCAN_SENTENCES,
    TRAINING_SENTENCES,
    Phrase,
    Reading,
    phrases,
    read_sentences,
    speaking_rate,
)
from modules.core_components.ai_models.engines.kokoro.fit.timbre_encoder import cut_windows
from modules.core_components.ai_models.engines.whisper_features import load_whisper_features
from modules.core_components.audio.sample_quality import MIN_SPEECH_S
from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken, Progress, scaled
from modules.core_components.texts import _
from modules.core_components.values import Speech

logger = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.float32]
Transcribe = Callable[[Speech], TranscribedSample]

__all__ = ["FitOptions", "FittedVoice", "fit_voice"]

_MOST_OWN = 6  # sentences of the sample's own words
_RATED_ROW = 60  # the pace is compared for utterances of this many phonemes
_CHECKPOINT_EVERY_S = 10.0
_ENGLISH_VOICES = ("a", "b")  # Kokoro's names begin with the language: American, British
_FOREIGN_HANDICAP = 1.0  # in standard deviations over the voices
# What is reached on the fitted clips is not quite reached on others.
_GE2E_HEADROOM, _CAMPPLUS_HEADROOM = 0.07, 0.07
# The similarity of a speaker's recordings where the sample is too short to measure it.
_USUAL_GE2E, _USUAL_CAMPPLUS, _USUAL_TIMBRE = 0.83, 0.75, 0.70


@dataclass(frozen=True, eq=False)
class FittedVoice:
    """A voice near the sample's.

    `pack` float32 [510, 1, 256] is an ordinary Kokoro voice; `layer_offsets` float32
    [layers, 128] are added to each AdaIN layer's style on top of it (`FastDecoder`). The pack
    alone is the nearest voice that any Kokoro program can use. `start_voice` is the nearest stock
    voice; the fit started from it, or `from_match` from the instant match.
    The similarities are CAM++ cosines with the held-out part of the sample.
    """

    pack: FloatArray
    layer_offsets: FloatArray
    start_voice: str
    from_match: bool
    speaking_rate: float
    similarity_start: float
    similarity_fitted: float
    similarity_self: float
    report: dict[str, Any]


def fit_voice(
    kmodel: Any,
    phonemize: Callable[[str], str],
    encoder: SpeakerEncoder,
    campplus: CampplusEncoder,
    voices: Mapping[str, Tensor],
    sample: FloatArray,
    sample_rate_hz: int,
    options: FitOptions,
    progress: Progress,
    cancel: CancelToken,
    checkpoint: Path | None = None,
    *,
    scan_cache: Path | None = None,
    whisper_folder: Path | None = None,
    transcribe: Transcribe | None = None,
    check: Callable[[], None] = lambda: None,
) -> FittedVoice:
    """Fit a voice to `sample`: mono speech [n] without long silences, 2 s at least.

    `kmodel` is a `kokoro.KModel` in eval mode on the CPU; it is only read. `phonemize` turns
    English text into Kokoro's phonemes. `voices` are the stock packs [510, 1, 256]. `checkpoint`
    is written every ten seconds; one of the same fit is resumed from. The caller deletes it.
    `scan_cache` keeps the stock voices' embeddings. `whisper_folder` is a CTranslate2 Whisper model
    (tiny.en): without it timbre, envelope and content are not compared.
    `transcribe` gives the words of the sample, which are then spoken in the fit and set the pace.
    `check` is called several times a second: it may wait, or raise to cancel.
    The same inputs give the same bits on one machine, whatever `options.threads` is.
    Raises BadInputError for too little speech and whatever `cancel` raises.
    """
    began = time.monotonic()
    fit_part, held_part = split_sample(sample, sample_rate_hz, options.held_out)
    threads_before = torch.get_num_threads()
    pool = ThreadPoolExecutor(options.threads, initializer=torch.set_num_threads, initargs=(1,))
    torch.set_num_threads(1)  # several one-thread sentences beat one sentence on all threads
    try:
        features = None
        if whisper_folder is not None:
            features = load_whisper_features(whisper_folder, cancel.raise_if_cancelled)
        cancel.raise_if_cancelled()
        decoder = FastDecoder(kmodel.decoder, FitLayers(check=check))

        def on_voice(done: int) -> None:
            cancel.raise_if_cancelled()
            progress(0.2 * done / len(voices), _("Measuring the stock voices ({done})", done=done))

        scan = read_sentences(kmodel, phonemize, SCAN_SENTENCES)
        stock = scan_stock_voices(
            kmodel, decoder, encoder, campplus, features, scan, voices, pool, scan_cache, on_voice
        )
        cancel.raise_if_cancelled()
        target = measure_sample(fit_part, encoder, campplus, stock)
        cancel.raise_if_cancelled()
        name, base = find_start(target, stock, voices, campplus, fit_part, options)
        cancel.raise_if_cancelled()
        frames = None
        if features is not None and options.envelope > 0:
            frames = sample_frames(features, torch.from_numpy(fit_part))
        encoders = FitEncoders(kmodel, decoder, encoder, campplus, stock.timbre, features, frames)
        progress(0.2, _("Starting from {name}", name=name))
        transcribed = TranscribedSample((), phonemize)
        if transcribe is not None and frames is not None:
            transcribed = transcribe(Speech(fit_part, SAMPLE_RATE_HZ))
        sentences = min(options.sentences, options.steps * options.sentences_per_step)
        own = _own_words(kmodel, transcribed, fit_part, min(_MOST_OWN, sentences))
        own_sentences = len(own)
        general = TRAINING_SENTENCES[: sentences - own_sentences]
        readings = read_sentences(kmodel, phonemize, (*general, *GUARD_SENTENCES))
        spoken = [*own, *((reading, None) for reading in readings)]

        def prepare(one: tuple[Reading, Phrase | None]) -> Baseline:
            cancel.raise_if_cancelled()
            reading, phrase = one
            return render_baseline(encoders, reading, base[reading.row], options.seed, phrase)

        baselines = list(pool.map(prepare, spoken))
        training, guarding = baselines[: -len(GUARD_SENTENCES)], baselines[-len(GUARD_SENTENCES) :]
        rows = torch.stack([voices[n][60, 0] for n in sorted(voices)])
        spread = rows.std(dim=0) + 1e-3
        fit = _Fit(encoders, target, training, spread, options, pool)
        key = _fit_key(options, fit_part, name, base, stock.timbre is not None)
        state = fit.run(scaled(progress, 0.25, 0.93), cancel, checkpoint, key)
        fitted_s = time.monotonic() - began
        progress(0.93, _("Choosing the strength"))
        cancel.raise_if_cancelled()
        choice = choose_strength(encoders, target, guarding, state.average(), spread,
                        torch.from_numpy(held_part), options, pool)  # fmt: skip
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(threads_before)
    cancel.raise_if_cancelled()
    shift = choice.residual * spread
    layers = choice.layers * spread[:128]
    shared = nearest_shared_style(kmodel.decoder, shift[:128] + layers)
    pack = base + torch.cat([shared, shift[128:]])
    offsets = shift[:128] + layers - shared
    cancel.raise_if_cancelled()
    fitted_to, held_out = (campplus.embed(part, SAMPLE_RATE_HZ) for part in (fit_part, held_part))
    progress(1.0, "Done")
    return FittedVoice(
        pack=pack.numpy().astype(np.float32),
        layer_offsets=offsets.numpy().astype(np.float32),
        start_voice=name,
        from_match=base is not voices[name],
        speaking_rate=speaking_rate(kmodel, transcribed, pack[_RATED_ROW]),
        similarity_start=choice.similarity_start,
        similarity_fitted=choice.similarity_fitted,
        similarity_self=float(fitted_to @ held_out),
        report={
            "steps": state.step,
            "pitch_hz": float(np.exp(target.log_pitch)) if target.log_pitch else None,
            "strength": choice.strength,
            "candidates": choice.table,
            "self_closeness": [target.ge2e_self, target.campplus_self, target.timbre_self],
            "own_sentences": own_sentences,
            "timbre_ear": stock.timbre is not None,
            "fit_part_s": len(fit_part) / SAMPLE_RATE_HZ,
            "held_part_s": len(held_part) / SAMPLE_RATE_HZ,
            "fit_s": fitted_s,
            "seconds": time.monotonic() - began,
        },
    )


class _Fit:
    """The gradient descent: several sentences a step, their gradients added in a fixed order."""

    def __init__(
        self,
        encoders: FitEncoders,
        target: FitTarget,
        baselines: list[Baseline],
        spread: Tensor,
        options: FitOptions,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._encoders, self._target = encoders, target
        # Sentences of one step are of one length, so that no thread waits for another.
        self._baselines = sorted(baselines, key=lambda baseline: len(baseline.alignment))
        self._spread, self._options, self._pool = spread, options, pool
        own = float(np.mean([baseline.log_pitch for baseline in baselines]))
        self._aim = own + options.pitch_share * (target.log_pitch - own)

    def run(
        self, progress: Progress, cancel: CancelToken, checkpoint: Path | None, key: str
    ) -> FitState:
        options = self._options
        state = FitState.load(checkpoint, key) if checkpoint is not None else None
        if state is None:
            shapes = {"residual": (256,), "layers": (self._encoders.decoder.layers, 128)}
            state = FitState(shapes)
        rates = {"residual": options.learning_rate}
        rates["layers"] = options.learning_rate * options.layer_rate
        saved = time.monotonic()
        while state.step < options.steps:
            cancel.raise_if_cancelled()
            slots = range(min(options.sentences_per_step, len(self._baselines)))
            results = list(self._pool.map(partial(self._gradient, state), slots))
            gradients = {
                name: torch.stack([r[0][name] for r in results]).mean(dim=0) for name in rates
            }
            state.advance(gradients, rates, options.steps)
            message = _(
                "Refining the voice: step {step} of {steps}", step=state.step, steps=options.steps
            )
            progress(state.step / options.steps, message)
            logger.debug("step %d: %s", state.step, results[0][1])
            if checkpoint is not None and time.monotonic() - saved > _CHECKPOINT_EVERY_S:
                state.save(checkpoint, key)
                saved = time.monotonic()
        return state

    def _place(self, step: int) -> int:
        """Of the first sentence of a step; each epoch takes all of them in another order."""
        size = self._options.sentences_per_step
        groups = -(-len(self._baselines) // size)
        epoch, place = divmod(step, groups)
        order = np.random.default_rng([self._options.seed, epoch]).permutation(groups)
        return max(0, min(int(order[place]) * size, len(self._baselines) - size))

    def _gradient(self, state: FitState, slot: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        options = self._options
        count = state.step * options.sentences_per_step + slot
        baseline = self._baselines[self._place(state.step) + slot]
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + count)
        with torch.enable_grad():
            leaves = {
                name: value.clone().requires_grad_(True) for name, value in state.parameters.items()
            }
            loss, parts = rendering_loss(
                self._encoders, self._target, baseline, leaves["residual"], leaves["layers"],
                self._spread, self._aim, options, generator,
            )  # fmt: skip
            gradients = torch.autograd.grad(loss, list(leaves.values()))
        return dict(zip(leaves, gradients, strict=True)), parts


def _own_words(
    kmodel: Any, transcribed: TranscribedSample, fit_part: FloatArray, most: int
) -> list[tuple[Reading, Phrase | None]]:
    """At most so many sentences of what the sample says: the longest, which hold most sounds."""
    found = sorted(phrases(transcribed.segments, fit_part), key=lambda phrase: -len(phrase.samples))
    own: list[tuple[Reading, Phrase | None]] = []
    for phrase in found[:most]:
        try:
            own.append((Reading(kmodel, transcribed.phonemize(phrase.text)), phrase))
        except StudioError:  # nothing that can be spoken
            continue
    return own


def measure_sample(
    fit_part: FloatArray, encoder: SpeakerEncoder, campplus: CampplusEncoder, stock: StockVoices
) -> FitTarget:
    """The measures of the part of the sample that is fitted to, 16 kHz [n]."""
    x = torch.from_numpy(fit_part)
    with torch.no_grad():
        pitch, wide = pitch_statistics(x)
        pieces = cut_windows(x, 2 * SAMPLE_RATE_HZ)
        timbre = stock.timbre
        timbre_pieces = [] if timbre is None else [timbre.embed(piece) for piece in pieces]
        return FitTarget(
            ge2e_self=_GE2E_HEADROOM
            + self_similarity([encoder.embed_tensor(p) for p in pieces], _USUAL_GE2E),
            campplus_self=_CAMPPLUS_HEADROOM
            + self_similarity([campplus.embed_tensor(p) for p in pieces], _USUAL_CAMPPLUS),
            timbre_self=self_similarity(timbre_pieces, _USUAL_TIMBRE),
            ge2e=torch.from_numpy(encoder.embed(fit_part, SAMPLE_RATE_HZ)),
            campplus=campplus.embed_tensor(x),
            timbre=None if timbre is None else timbre.embed_long(x),
            spectrum=long_term_spectrum(x),
            log_pitch=pitch,
            log_pitch_spread=wide,
        )


def find_start(
    target: FitTarget,
    stock: StockVoices,
    voices: Mapping[str, Tensor],
    campplus: CampplusEncoder,
    fit_part: FloatArray,
    options: FitOptions,
) -> tuple[str, Tensor]:
    """The nearest stock voice, and the pack [510, 1, 256] that the fit starts from.

    That is the instant match of `fit_part` (16 kHz [n]), which is nearer than any stock voice by
    the judges, where it knows these voices, and Whisper describes enough speech.
    """
    enough = len(fit_part) >= MIN_SPEECH_S * SAMPLE_RATE_HZ
    if options.from_match > 0 and enough and stock.timbre is not None and knows_voices(voices):
        matched = match_instantly(stock.timbre, campplus, voices, fit_part, SAMPLE_RATE_HZ)
        return matched.start_voice, torch.from_numpy(matched.pack)
    name = nearest_voice(target, stock, options)
    return name, voices[name]


def nearest_voice(target: FitTarget, stock: StockVoices, options: FitOptions) -> str:
    """The stock voice that is similar to the sample by the encoders that the fit follows.

    Each encoder's cosines are counted in their own standard deviations over the voices, since those
    of the timbre encoder vary five times as much; the lowest of several counts most (a soft
    minimum). A voice made for another language than English has to be clearly nearer: it keeps its
    accent, and Whisper misread one English word in ten of a fit that began at a French voice.
    """
    opinions = []
    if options.ge2e > 0:
        opinions.append(_standard(stock.ge2e @ target.ge2e))
    if options.campplus > 0:
        opinions.append(_standard(stock.campplus @ target.campplus))
    if options.timbre > 0 and target.timbre is not None and stock.timbre_vectors is not None:
        opinions.append(_standard(stock.timbre_vectors @ target.timbre))
    closeness = -torch.logsumexp(-torch.stack(opinions), dim=0)
    foreign = torch.tensor([not name.startswith(_ENGLISH_VOICES) for name in stock.names])
    closeness = closeness - _FOREIGN_HANDICAP * foreign
    return stock.names[int(closeness.argmax())]


def _standard(x: Tensor) -> Tensor:
    return (x - x.mean()) / (x.std(correction=0) + 1e-6)


def _fit_key(
    options: FitOptions, fit_part: FloatArray, name: str, base: Tensor, with_timbre: bool
) -> str:
    shaping = [options.shaping(), name, with_timbre]
    digest = hashlib.sha256(json.dumps(shaping, sort_keys=True).encode())
    digest.update(fit_part.tobytes())
    digest.update(base.contiguous().numpy().tobytes())
    return digest.hexdigest()
