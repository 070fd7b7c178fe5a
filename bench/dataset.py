"""A dataset from recordings whose texts are known: is it right, is all of it there, how fast?

    python bench/dataset.py RECORDINGS TEXTS --model whisper-tiny.en

RECORDINGS is a folder, TEXTS a file (gzipped or not) of lines `name: text`, where the name is a
file's without its suffix. The recordings are given (a) as they are, (b) joined into long ones with
pauses between. Beside both stands plain faster-whisper in the same run: each recording alone with
the package's own defaults. `--kills N` instead breaks a building off N times with kill -9, at
random moments, and compares the bytes with those of one built in one go.

Nothing is asserted of the speeds; the limits, the seconds and the bytes are.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from app import prepare_environment  # noqa: E402

prepare_environment()

import numpy as np  # noqa: E402
import soundfile  # noqa: E402

from modules.core_components.audio.files import read_speech, write_speech  # noqa: E402
from modules.core_components.dataset.split import estimated_tokens  # noqa: E402
from modules.core_components.dataset.values import (  # noqa: E402
    LONGEST_SAMPLES,
    MOST_TEXT_TOKENS,
    SAMPLE_RATE_HZ,
    SHORTEST_S,
    Dataset,
)
from modules.core_components.text.word_errors import normalize_words  # noqa: E402
from modules.core_components.values import Speech  # noqa: E402
from modules.tools.dataset.build import DatasetRequest, DatasetSummary, build_dataset  # noqa: E402
from modules.tools.services import Services, open_services  # noqa: E402

PAUSES_S = (0.6, 2.0)
JOINED_S = 600.0
RATE_HZ = 16_000
LANGUAGE = "en"


@dataclass(frozen=True)
class Prompt:
    """A recording and what is said in it."""

    name: str
    path: Path
    text: str


@dataclass(frozen=True)
class Joined:
    """A long recording and the prompts in it, in their order."""

    path: Path
    text: str


def main() -> None:
    given = arguments()
    prompts = read_prompts(given.recordings, given.texts)[:: given.every]
    with tempfile.TemporaryDirectory(prefix="bench-dataset-") as work:
        if given.kills:
            break_off(given, [prompt.path for prompt in prompts], Path(work))
        else:
            compare(given, prompts, Path(work))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--model", default="whisper-tiny.en")
    parser.add_argument("--every", type=int, default=1, help="Take every so many prompts only.")
    parser.add_argument("--seed", type=int, default=1, help="Of the pauses and the kills.")
    parser.add_argument("--kills", type=int, default=0)
    return parser.parse_args()


def read_prompts(folder: Path, texts: Path) -> list[Prompt]:
    """Those that have a text; what stands in brackets (tones, notes) or is called silence is no
    speech."""
    opened = gzip.open if texts.suffix == ".gz" else open
    with opened(texts, "rt", encoding="utf-8", errors="replace") as file:
        matches = (re.match(r"([^;\s][^:]*): (.+)", line) for line in file)
        said = {match[1].strip(): match[2].strip() for match in matches if match}
    prompts = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        inner = path.relative_to(folder).with_suffix("").as_posix()
        text = next(
            (said[name] for name in said if inner == name or inner.endswith(f"/{name}")), ""
        )
        if text and not re.search(r"[\[\]]|seconds? of silence", text):
            prompts.append(Prompt(inner, path, text))
    return prompts


def compare(given: argparse.Namespace, prompts: list[Prompt], work: Path) -> None:
    """Plain faster-whisper, (a) and (b), as a table of markdown."""
    joined = join(prompts, work / "joined", given.seed)
    services = open_services(work / "studio")
    services.asr.get(given.model).load()
    print(f"{len(prompts)} prompts, {given.model}\n")
    print("| what | audio | seconds | times real time | word error rate |")
    print("|---|---|---|---|---|")

    plain = plain_whisper(services, given.model)
    references = [prompt.text for prompt in prompts]
    audio_s = sum(read_speech(prompt.path).duration_s for prompt in prompts)
    heard, plain_s = timed(lambda: [plain(prompt.path) for prompt in prompts])
    plain_errors = corpus_errors(references, heard)
    row("plain faster-whisper, each prompt", audio_s, plain_s, plain_errors)

    files = [prompt.path for prompt in prompts]
    (summary, dataset), files_s = timed(lambda: build(services, "files", files, given.model))
    texts = texts_by_source(dataset)
    found = [texts.get(prompt.path.name, "") for prompt in prompts]
    row("(a) a dataset from the files", audio_s, files_s, corpus_errors(references, found))
    check("(a)", dataset, summary)

    long_s = sum(read_speech(recording.path).duration_s for recording in joined)
    heard, long_plain_s = timed(lambda: [plain(recording.path) for recording in joined])
    long_references = [recording.text for recording in joined]
    row(
        f"plain faster-whisper, the {len(joined)} joined ones",
        *(long_s, long_plain_s, corpus_errors(long_references, heard)),
    )
    files = [recording.path for recording in joined]
    (summary, dataset), built_s = timed(lambda: build(services, "joined", files, given.model))
    texts = texts_by_source(dataset)
    found = [texts.get(recording.path.name, "") for recording in joined]
    row("(b) a dataset from the joined", long_s, built_s, corpus_errors(long_references, found))
    check("(b)", dataset, summary)
    print(
        f"\nThroughput against plain faster-whisper: files {plain_s / files_s:.2f}, "
        f"joined {long_plain_s / built_s:.2f}"
    )
    services.close()


def join(prompts: list[Prompt], folder: Path, seed: int) -> list[Joined]:
    """Recordings of about ten minutes, a pause of its own length after each prompt."""
    folder.mkdir()
    chance = random.Random(seed)
    joined: list[Joined] = []
    pieces: list[Any] = []
    texts: list[str] = []
    for index, prompt in enumerate(prompts):
        pause = np.zeros(int(chance.uniform(*PAUSES_S) * RATE_HZ), np.float32)
        pieces += [read_speech(prompt.path, RATE_HZ).samples, pause]
        texts.append(prompt.text)
        if sum(map(len, pieces)) >= JOINED_S * RATE_HZ or index == len(prompts) - 1:
            path = folder / f"{len(joined):02d}.wav"
            write_speech(path, Speech(np.concatenate(pieces), RATE_HZ))
            joined.append(Joined(path, " ".join(texts)))
            pieces, texts = [], []
    return joined


def plain_whisper(services: Services, model_id: str) -> Any:
    """A function from a recording to its text: the package with its own defaults."""
    from faster_whisper import WhisperModel

    entry = services.catalog.entry(model_id)
    folder = services.downloader.verify(entry.id)
    threads = services.settings.torch_threads
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=threads)

    def listen(path: Path) -> str:
        samples = read_speech(path, RATE_HZ).samples
        segments, _ = model.transcribe(samples, language=LANGUAGE)
        return " ".join(segment.text.strip() for segment in segments)

    return listen


def build(
    services: Services, name: str, files: Iterable[Path], model_id: str
) -> tuple[DatasetSummary, Dataset]:
    services.datasets.create(name, LANGUAGE, "Speaker")
    request = DatasetRequest(name, tuple(map(str, files)), model_id=model_id)
    return build_dataset(services, request), services.datasets.get(name)


def texts_by_source(dataset: Dataset) -> Mapping[str, str]:
    return {
        source.name: " ".join(clip.text for clip in source.clips if not clip.dropped)
        for source in dataset.sources
    }


def corpus_errors(references: list[str], heard: list[str]) -> float:
    """Wrong, missing and added words over all words."""
    import jiwer

    pairs = [
        (" ".join(normalize_words(reference, LANGUAGE)), " ".join(normalize_words(text, LANGUAGE)))
        for reference, text in zip(references, heard, strict=True)
    ]
    pairs = [pair for pair in pairs if pair[0]]
    return float(jiwer.wer([pair[0] for pair in pairs], [pair[1] for pair in pairs]))


def check(label: str, dataset: Dataset, summary: DatasetSummary) -> None:
    """The engine's limits on the files themselves, and the seconds."""
    lengths = []
    for clip in dataset.rows:
        info = soundfile.info(dataset.wav_of(clip))
        assert (info.samplerate, info.channels, info.subtype) == (SAMPLE_RATE_HZ, 1, "PCM_16")
        assert SHORTEST_S * SAMPLE_RATE_HZ <= info.frames <= LONGEST_SAMPLES, clip
        assert estimated_tokens(clip.text) <= MOST_TEXT_TOKENS, clip
        lengths.append(info.duration)
    held = summary.contents
    missing_s = held.recorded_s - held.kept_s - sum(held.dropped_s.values())
    assert abs(missing_s) < 1e-3, missing_s
    dropped = ", ".join(f"{why} {seconds:.1f} s" for why, seconds in held.dropped_s.items())
    print(
        f"\n{label} {len(lengths)} clips of {min(lengths):.2f} to {max(lengths):.2f} s, "
        f"{held.train_rows} to train, {held.eval_rows} to evaluate; of {held.recorded_s:.1f} s "
        f"kept {held.kept_s:.1f} s; dropped: {dropped}; unaccounted {missing_s:.4f} s; "
        f"{len(summary.refused)} recordings without speech\n"
    )


def break_off(given: argparse.Namespace, files: list[Path], work: Path) -> None:
    """kill -9 at random moments, then to the end; the bytes against those of one go."""
    request = {"inputs": [str(path) for path in files], "model_id": given.model}
    (work / "request.json").write_text(json.dumps(request), encoding="utf-8")
    services = open_services(work / "whole")
    services.datasets.create("d", LANGUAGE, "Speaker")
    services.close()
    shutil.copytree(work / "whole", work / "broken")

    whole = start(work, "whole")
    _, whole_s = timed(whole.wait)
    chance = random.Random(given.seed)
    # Each attempt goes on where the last one was; together they do not reach the end.
    killed, moments = 0, []
    begin_s = time.monotonic()
    while killed < given.kills:
        process = start(work, "broken")
        moment_s = chance.uniform(0.0, 1.8 * whole_s / given.kills)
        try:
            process.wait(moment_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
            done = len(list((work / "broken/datasets/d/sources").glob("[!.]*.json")))
            moments.append(f"{moment_s:.1f} s (with {done} of {len(files)})")
        else:
            sys.exit(f"It was done after {killed} kills; take more recordings.")
    assert start(work, "broken").wait() == 0
    expected, broken = (hashes(work / name / "datasets" / "d") for name in ("whole", "broken"))
    print(f"one go: {whole_s:.1f} s; killed {killed} times after {', '.join(moments)}")
    print(f"all attempts together: {time.monotonic() - begin_s:.1f} s")
    assert expected == broken, sorted(set(expected.items()) ^ set(broken.items()))
    print(f"{len(expected)} files, the same bytes")


def start(work: Path, name: str) -> subprocess.Popen[bytes]:
    """The building in a process of its own, which has just loaded the model."""
    code = (
        "import json, sys; from pathlib import Path; import bench.dataset as bench; "
        "work = Path(sys.argv[1]); given = json.loads((work / 'request.json').read_text()); "
        "services = bench.open_services(work / sys.argv[2]); "
        "given['inputs'] = tuple(given['inputs']); "
        "services.asr.get(given['model_id']).load(); print('ready', flush=True); "
        "bench.build_dataset(services, bench.DatasetRequest('d', **given))"
    )
    command = [sys.executable, "-c", code, str(work), name]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def hashes(folder: Path) -> Mapping[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".partial-")
    }


def timed(work: Any) -> tuple[Any, float]:
    begin_s = time.monotonic()
    result = work()
    return result, time.monotonic() - begin_s


def row(what: str, audio_s: float, seconds: float, errors: float) -> None:
    print(
        f"| {what} | {audio_s:.0f} s | {seconds:.1f} | {audio_s / seconds:.1f} | {errors:.2%} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
