"""How long it takes until nothing is computed any more once a job was cancelled.

    python bench/cancel.py [--rounds 6] [--only refine,transcribe] [--seed 1]
    python bench/cancel.py --looks [--only refine]

Each kind of long work that the starter models can do is started in a new data root, and cancelled
at a random moment of its usual length; a round later it begins anew, with a sample or a recording
that is not known yet. For each kind: how many were cancelled while they ran, the median and the
greatest of the seconds until the job had ended, and what it was doing when that took longest.

With `--looks` each kind runs to its end once, and the longest times between two looks at the cancel
are printed, with the lines of code that looked: a cancel can take that long at the worst, and a
random moment seldom hits the worst.

The page promises 2 s on a quiet machine with two cores. Other load makes every figure worse.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app import prepare_environment

prepare_environment()

import numpy as np  # noqa: E402

from modules.core_components.audio.files import read_speech, write_speech  # noqa: E402
from modules.core_components.jobs import Job, context  # noqa: E402
from modules.core_components.progress import CancelToken  # noqa: E402
from modules.core_components.values import Consent, Speech  # noqa: E402
from modules.tools.conversation.cast import CastVoice  # noqa: E402
from modules.tools.conversation.conversation import ConversationRequest, submit_conversation  # noqa: E402
from modules.tools.dataset.build import DatasetRequest, submit_build  # noqa: E402
from modules.tools.dataset.report import submit_report  # noqa: E402
from modules.tools.jobs import register_job_kinds  # noqa: E402
from modules.tools.listening.transcribe import submit_transcription  # noqa: E402
from modules.tools.models.benchmark import submit_benchmark  # noqa: E402
from modules.tools.models.library import submit_load  # noqa: E402
from modules.tools.services import Services, open_services  # noqa: E402
from modules.tools.speaking.request import SpeechRequest  # noqa: E402
from modules.tools.speaking.speech import submit_speech  # noqa: E402
from modules.tools.voices.previews import submit_preview  # noqa: E402
from modules.tools.voices.refinement import submit_refinement  # noqa: E402
from modules.tools.voices.samples import (  # noqa: E402
    add_sample,
    ensure_demo_sample,
    submit_export,
    submit_reference_text,
)

KOKORO = "kokoro-v1.0"
TEXT = (
    "Nobody had seen the yellow umbrella since Thursday, and nobody asked. The harbour was quiet, "
    "the boats lay in a row, and the keeper of the light wrote down the weather as he had done "
    "every evening for eleven years. "
)
RECORDING_MINUTES = 8.0
LIMIT_S = 300.0


class Material:
    """Samples and recordings of the demo voice, no two of the same sound."""

    def __init__(self, services: Services, folder: Path) -> None:
        self._services, self._folder, self._count = services, folder, 0
        demo = ensure_demo_sample(services)
        assert demo is not None, "the speaking model is not installed"
        self._speech = read_speech(demo.path)
        services.datasets.create("Readings", "en", "", agreed=True)
        self._dataset = ""

    def recording(self, minutes: float) -> Path:
        """A file that was never heard before."""
        self._count += 1
        times = max(1, round(60 * minutes / self._speech.duration_s))
        quiet = np.zeros(self._speech.sample_rate_hz * self._count // 7, np.float32)
        once = np.concatenate([self._speech.samples, quiet])
        path = self._folder / f"recording {self._count}.wav"
        write_speech(path, Speech(np.tile(once, times), self._speech.sample_rate_hz))
        return path

    def sample(self, minutes: float = 0.5) -> str:
        """The name of a new sample."""
        path = self.recording(minutes)
        sample, _ = add_sample(self._services, path, path.stem, Consent("", True))
        return sample.name

    def dataset(self) -> str:
        """A dataset of several minutes, made once."""
        if not self._dataset:
            self._services.datasets.create("Long readings", "en", "", agreed=True)
            request = DatasetRequest("Long readings", (str(self.recording(3.0)),))
            finish(self._services, submit_build(self._services, request))
            self._dataset = "Long readings"
        return self._dataset


def finish(services: Services, job: Job) -> None:
    ended = services.jobs.wait(job.id, LIMIT_S)
    assert ended.state == "done", (ended.title, ended.state, ended.error)


Start = Callable[[], Job]


def kinds(services: Services, material: Material) -> Mapping[str, tuple[Start, float]]:
    """How each kind is started, and about how many seconds it takes."""

    def speak(text: str, voice: str, kind: str, score: bool = True) -> Job:
        request = SpeechRequest(text, voice, kind, KOKORO, score=score, language="en-us")
        return submit_speech(services, request)

    def refine() -> Job:
        job = submit_refinement(services, KOKORO, services.samples.get(material.sample()))
        assert job is not None
        return job

    def converse() -> Job:
        lines = "\n".join(f"{name}: {TEXT}" for name in ("Anna", "Ben") * 4)
        cast = {
            "Anna": CastVoice("af_heart", KOKORO, "preset"),
            "Ben": CastVoice("am_michael", KOKORO, "preset"),
        }
        seed = random.randrange(1 << 30)
        return submit_conversation(services, ConversationRequest(lines, cast, seed=seed))

    def transcribe(model_id: str) -> Job:
        return submit_transcription(
            services, material.recording(RECORDING_MINUTES), "Long", model_id, "en"
        )

    def build() -> Job:
        recording = str(material.recording(RECORDING_MINUTES))
        return submit_build(services, DatasetRequest("Readings", (recording,)))

    def load() -> Job:
        services.tts.unload_all()
        return submit_load(services, KOKORO)

    voices = iter(sorted(services.tts.get(KOKORO).voices()))
    return {
        "speak": (lambda: speak(4 * TEXT, "af_heart", "preset"), 25.0),
        "first take of a sample": (lambda: speak(TEXT, material.sample(), "sample"), 12.0),
        "refine": (refine, 100.0),
        "export a voice": (
            lambda: submit_export(services, material.sample(), KOKORO, ".pt"),
            100.0,
        ),
        "preview": (lambda: submit_preview(services, KOKORO, next(voices), ""), 2.0),
        "conversation": (converse, 40.0),
        "transcribe, tiny.en": (lambda: transcribe("whisper-tiny.en"), 20.0),
        "transcribe, base": (lambda: transcribe("whisper-base"), 45.0),
        "reference text": (lambda: submit_reference_text(services, material.sample(3.0)), 15.0),
        "make a dataset": (build, 60.0),
        "check a dataset": (lambda: submit_report(services, material.dataset()), 15.0),
        "check a dataset, transcribed again": (
            lambda: submit_report(services, material.dataset(), "whisper-tiny.en"),
            25.0,
        ),
        "benchmark": (lambda: submit_benchmark(services), 40.0),
        "load": (load, 2.5),
    }


@dataclass(frozen=True)
class Cancelled:
    """Seconds until the job had ended, and what it did when it was cancelled."""

    seconds: float
    state: str
    doing: str


def cancel_at(services: Services, start: Start, after_s: float) -> Cancelled:
    job = start()
    while (running := services.jobs.get(job.id)).state == "queued":
        time.sleep(0.01)
    time.sleep(after_s)
    running = services.jobs.get(job.id)
    pressed = time.monotonic()
    if not running.is_active:
        return Cancelled(0.0, running.state, running.error or "")
    services.jobs.cancel(job.id)
    ended = services.jobs.wait(job.id, LIMIT_S)
    return Cancelled(time.monotonic() - pressed, ended.state, f"{after_s:.1f} s: {running.message}")


@dataclass(frozen=True)
class Look:
    """When somebody looked at the cancel, and the lines of the studio's code that did."""

    at_s: float
    place: str


class WatchedToken(CancelToken):
    """Notes each look at it."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = [Look(time.monotonic(), "the start")]

    def note(self, place: str = "") -> None:
        self.looks.append(Look(time.monotonic(), place or _place()))

    @property
    def cancelled(self) -> bool:
        self.note()
        return super().cancelled

    def raise_if_cancelled(self) -> None:
        self.note()
        super().raise_if_cancelled()

    def wait(self, timeout_s: float) -> bool:
        self.note()
        try:
            return super().wait(timeout_s)
        finally:
            self.note()


def _place() -> str:
    frames = [
        frame
        for frame in traceback.extract_stack()[:-2]
        if "/modules/" in frame.filename and frame.name != "check_cancelled"
    ]
    return " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames[-4:]))


def longest_waits(services: Services, start: Start, most: int = 4) -> list[str]:
    """The longest times without a look at the cancel in one run of a job, the longest first."""
    tokens: list[WatchedToken] = []

    def make() -> CancelToken:
        tokens.append(WatchedToken())
        return tokens[-1]

    usual = context.CancelToken
    context.CancelToken = make  # type: ignore[assignment, misc]
    try:
        ended = services.jobs.wait(start().id, LIMIT_S)
    finally:
        context.CancelToken = usual  # type: ignore[misc]
    token = tokens[0]
    token.note(f"the end ({ended.state})")
    looks = sorted(token.looks, key=lambda look: look.at_s)
    pairs = sorted(itertools.pairwise(looks), key=lambda pair: pair[0].at_s - pair[1].at_s)
    began = looks[0].at_s
    return [
        f"{after.at_s - before.at_s:6.2f} s, at {before.at_s - began:5.1f} s, "
        f"between {before.place} and {after.place}"
        for before, after in pairs[:most]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--only", default="", help="Kinds, with commas between them.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--looks", action="store_true", help="How often the cancel is looked at.")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        services = open_services(Path(folder, "root"), {"refine_voices": False})
        register_job_kinds(services)
        material = Material(services, Path(folder))
        chosen = [name.strip() for name in arguments.only.split(",") if name.strip()]
        if not arguments.looks:
            print(f"{'kind':36} {'cancelled':>9} {'median':>7} {'most':>7}  longest while")
        for name, (start, usual_s) in kinds(services, material).items():
            if chosen and not any(name.startswith(wanted) for wanted in chosen):
                continue
            if arguments.looks:
                print(name, *longest_waits(services, start), sep="\n    ", flush=True)
                continue
            found = [
                cancel_at(services, start, rng.uniform(0.0, usual_s))
                for _ in range(arguments.rounds)
            ]
            ran = [one for one in found if one.state == "cancelled"]
            if not ran:
                print(f"{name:36} none was cancelled: {found[0].state} {found[0].doing}")
                continue
            worst = max(ran, key=lambda one: one.seconds)
            middle = statistics.median(one.seconds for one in ran)
            share = f"{len(ran)} of {len(found)}"
            print(f"{name:36} {share:>9} {middle:6.2f}  {worst.seconds:6.2f}  {worst.doing}")
        services.close()


if __name__ == "__main__":
    main()
