"""What the benchmarks of the large speaking models measure, and the table they print."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.model_pool import HOST, ModelPool
from modules.core_components.ai_models.model_utils import PeakMemory
from modules.core_components.values import Speech

TEXT = "The harbour was quiet before dawn, and a single lamp burned above the customs house."
SECONDS = 10.0
ROUNDS = 3

_ROOM = 2**37
_HEADERS = ("model", "how", "first audio s", "real-time factor", "weights GiB", "peak GiB",
            "load s", "back s")  # fmt: skip

Stream = Callable[[int], Iterable[Speech]]


@dataclass(frozen=True)
class Figures:
    """Of one utterance: seconds until the first audio, and a second of audio's in computing."""

    first_audio_s: float
    real_time_factor: float


def roomy_pool() -> ModelPool:
    """A pool that holds whatever there is."""
    return ModelPool({"cpu": _ROOM, "cuda:0": _ROOM, HOST: _ROOM})


def rows_of(
    model: str, pool: ModelPool, engine: TTSEngine, ways: Mapping[str, Stream], gpu: bool
) -> Iterator[tuple[object, ...]]:
    """A row for each way to speak; `ways` give the speech of a seed. On a GPU one more: how long
    the model takes to come back from CPU memory."""
    load_s = _timed(engine.load)
    (resident,) = pool.snapshot()
    for name, stream in ways.items():
        _speak(stream(0))  # the first time things are compiled and recorded
        with PeakMemory() as peak:
            figures = [_speak(stream(seed)) for seed in range(1, ROUNDS + 1)]
        first = statistics.median(item.first_audio_s for item in figures)
        factor = statistics.median(item.real_time_factor for item in figures)
        most = peak.gpu_bytes if gpu else peak.cpu_bytes
        yield model, name, first, factor, resident.nbytes / 2**30, most / 2**30, load_s, None
    if gpu:
        yield model, "back from CPU memory", *[None] * 5, _back_s(pool, engine)


def print_table(about: str, rows: Iterable[tuple[object, ...]]) -> None:
    """A markdown table, row by row as they come."""
    print(about)
    print(f"| {' | '.join(_HEADERS)} |")
    print("|" + "---|" * len(_HEADERS))
    for row in rows:
        print(f"| {' | '.join(_cell(value) for value in row)} |", flush=True)


def _speak(pieces: Iterable[Speech]) -> Figures:
    start = time.monotonic()
    first_s, audio_s = 0.0, 0.0
    for piece in pieces:
        first_s = first_s or time.monotonic() - start
        audio_s += piece.duration_s
    return Figures(first_s, (time.monotonic() - start) / audio_s)


def _back_s(pool: ModelPool, engine: TTSEngine) -> float | None:
    """None where the model did not go to CPU memory, but away."""
    pool.configure(budgets={"cpu": _ROOM, "cuda:0": 1, HOST: _ROOM})
    places = [resident.place for resident in pool.snapshot()]
    pool.configure(budgets={"cpu": _ROOM, "cuda:0": _ROOM, HOST: _ROOM})
    return _timed(engine.load) if places == ["host"] else None


def _timed(work: Callable[[], Any]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
