"""The study of voice match: fits speakers with variants of the options, judges the held-out part.

    python bench/voice_fit.py --models base_models --speakers reader=clips/a italian=clips/b \
        --variants default no-ear:ear=0 plain:layer_rate=0,content=0

A speaker is a folder of recordings: the first clips up to 16 s are fitted on, the next up to 16 s
are only judged by. Prints one row of a Markdown table for each fit as soon as it is done.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jiwer
import librosa
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.voice_judges import FloatArray, closeness, make_judges, naturalness
from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder
from modules.core_components.ai_models.engines.kokoro.fit.layers import FitLayers
from modules.core_components.ai_models.engines.kokoro.fit.stock_voices import render
from modules.core_components.ai_models.engines.kokoro.fit.text import (
    GUARD_SENTENCES,
    SCAN_SENTENCES,
    Reading,
)
from modules.core_components.ai_models.engines.kokoro.fit.voice_fit import FitOptions, fit_voice
from modules.core_components.ai_models.engines.kokoro.wrapper import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    KokoroV1Wrapper,
)
from modules.core_components.ai_models.engines.speaker_encoder import (
    SpeakerEncoder,
    load_speaker_encoder,
)
from modules.core_components.progress import CancelToken, no_progress

NEW_SENTENCES = (
    "A quick judgment may hide the truth from those who seek it.",
    "We spent the whole afternoon repairing the roof of the wooden cabin.",
    "Their voices echoed through the empty station long after midnight.",
    "My uncle bought three green chairs and a small glass table yesterday.",
)
COLUMNS = (
    "speaker", "variant", "start", "GE2E stock", "fitted", "self", "whisper-base stock", "fitted",
    "self", "mfcc stock", "fitted", "self", "DNSMOS stock", "fitted", "pack only", "WER", "s",
)  # fmt: skip
PART_S = 16.0


def main() -> None:
    arguments = _arguments()
    models: Path = arguments.models
    folder = models / "kokoro/v1_0"
    kokoro = KokoroV1Wrapper(folder / CONFIG_FILE, folder / WEIGHTS_FILE)
    kmodel = kokoro.model
    voices = {p.stem: torch.load(p, weights_only=True) for p in sorted(folder.glob("voices/*.pt"))}
    encoder = load_speaker_encoder(models / "ge2e/pretrained.pt")
    phonemize = _phonemizer()
    decoder = FastDecoder(kmodel.decoder, FitLayers())
    readings = [Reading(kmodel, phonemize(s)) for s in (*SCAN_SENTENCES, *GUARD_SENTENCES)]
    clips = {
        name: [render(kmodel, decoder, r, pack[r.row], seed=9) for r in readings]
        for name, pack in voices.items()
    }
    judges = make_judges(models / "whisper/base", clips)
    hear = _listener(models / "whisper/base")

    def compare(spoken: list[FloatArray], held: list[FloatArray]) -> list[float]:
        return [
            _ge2e(encoder, spoken, held),
            *(closeness(judges[name], spoken, held) for name in ("whisper-base", "mfcc")),
        ]

    print("|" + "|".join(COLUMNS) + "|\n|" + "---|" * len(COLUMNS), flush=True)
    for speaker, folder in arguments.speakers:
        heard, held = _load(folder)
        own = compare([heard], held)
        for variant, options in arguments.variants:
            began = time.monotonic()
            fitted = fit_voice(
                kmodel, phonemize, encoder, voices, heard, 16_000, options, no_progress,
                CancelToken(), scan_cache=arguments.work / "stock_voices.safetensors",
                whisper_folder=models / "whisper/tiny.en",
            )  # fmt: skip
            seconds = time.monotonic() - began
            pack, offsets = torch.from_numpy(fitted.pack), torch.from_numpy(fitted.layer_offsets)
            stock = _speak(kokoro, phonemize, voices[fitted.start_voice], None)
            spoken = _speak(kokoro, phonemize, pack, offsets)
            plain = _speak(kokoro, phonemize, pack, None)
            before, after = compare(_trimmed(stock), held), compare(_trimmed(spoken), held)
            figures = [f for row in zip(before, after, own, strict=True) for f in row]
            figures += [naturalness(stock), naturalness(spoken), naturalness(plain), hear(spoken)]
            row = [speaker, variant, fitted.start_voice, *(f"{f:.2f}" for f in figures)]
            print("|" + "|".join([*row, f"{seconds:.0f}"]) + "|", flush=True)


def _speak(
    kokoro: KokoroV1Wrapper,
    phonemize: Callable[[str], str],
    pack: torch.Tensor,
    offsets: torch.Tensor | None,
) -> list[FloatArray]:
    """The new sentences at 16 kHz, as the studio speaks them."""
    spoken = []
    for number, sentence in enumerate(NEW_SENTENCES):
        phonemes = phonemize(sentence)
        style = pack[len(phonemes) - 1]
        audio = kokoro.synthesize(phonemes, style, seed=number, layer_offsets=offsets).samples
        spoken.append(librosa.resample(audio, orig_sr=24_000, target_sr=16_000))
    return spoken


def _ge2e(encoder: SpeakerEncoder, a: list[FloatArray], b: list[FloatArray]) -> float:
    means = [np.mean([encoder.embed(clip, 16_000) for clip in clips], axis=0) for clips in (a, b)]
    return float(means[0] @ means[1] / np.linalg.norm(means[0]) / np.linalg.norm(means[1]))


def _trimmed(clips: list[FloatArray]) -> list[FloatArray]:
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(min_silence_duration_ms=200, speech_pad_ms=60)
    result = []
    for clip in clips:
        spans = get_speech_timestamps(clip, options)
        parts = [clip[span["start"] : span["end"]] for span in spans]
        result.append(np.concatenate(parts) if parts else clip)
    return result


def _load(folder: Path) -> tuple[FloatArray, list[FloatArray]]:
    from faster_whisper.audio import decode_audio

    paths = sorted(path for path in folder.iterdir() if path.is_file())
    parts: tuple[list[FloatArray], list[FloatArray]] = ([], [])
    for path in paths:
        clip = np.asarray(decode_audio(str(path)), dtype=np.float32)
        full = [sum(map(len, part)) / 16_000 >= PART_S for part in parts]
        if full[1]:
            break
        parts[1 if full[0] else 0].append(clip)
    if not parts[1]:  # a short speaker: the last clip is for judging
        parts[1].append(parts[0].pop())
    return np.concatenate(_trimmed(parts[0])), _trimmed(parts[1])


def _listener(folder: Path) -> Callable[[list[FloatArray]], float]:
    from faster_whisper import WhisperModel

    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2)

    def plain(text: str) -> str:
        return re.sub(r"[^a-z' ]", "", text.lower()).strip()

    def word_error_rate(clips: list[FloatArray]) -> float:
        texts = []
        for clip in clips:
            segments, _ = model.transcribe(clip, language="en", beam_size=5)
            texts.append(plain(" ".join(segment.text for segment in segments)))
        return float(jiwer.wer([plain(s) for s in NEW_SENTENCES], texts))

    return word_error_rate


def _phonemizer() -> Callable[[str], str]:
    from modules.core_components.ai_models.engines.kokoro.reading.english import EnglishG2P

    g2p = EnglishG2P(british=False)
    return lambda text: str(g2p(text)[0])


def _variant(text: str) -> tuple[str, FitOptions]:
    name, _, rest = text.partition(":")
    kinds = {field.name: field.type for field in dataclasses.fields(FitOptions)}
    pairs = (pair.split("=") for pair in rest.split(",") if pair)
    changes = {k: int(v) if kinds[k] == "int" else float(v) for k, v in pairs}
    return name, dataclasses.replace(FitOptions(), **changes)  # type: ignore[arg-type]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=Path("base_models"))
    parser.add_argument("--work", type=Path, default=Path("bench/work"))
    parser.add_argument("--speakers", nargs="+", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--variants", nargs="+", default=["default"], metavar="NAME:KEY=VALUE,...")
    arguments = parser.parse_args()
    pairs = (text.split("=", 1) for text in arguments.speakers)
    arguments.speakers = [(name, Path(folder)) for name, folder in pairs]
    arguments.variants = [_variant(text) for text in arguments.variants]
    return arguments


if __name__ == "__main__":
    main()
