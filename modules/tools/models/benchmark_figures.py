"""What a benchmark found: kept under the output folder, and in words for its readers."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from modules.core_components import atomic
from modules.core_components.library.names import unique_path
from modules.tools.services import Services

logger = logging.getLogger(__name__)

HEADERS = ("Model", "Load", "First", "Of real time", "Memory", "GPU", "Word errors", "Note")


@dataclass(frozen=True)
class ModelFigures:
    """How one model did; None where it was not measured, `problem` says why it failed.

    `first_s` are the seconds until the first audio, or the first text of a listener;
    `real_time_factor` is the computing of a second of audio in seconds. `voice` is the one it spoke
    with, `recording_s` how long what was spoken or heard is. `peak_gpu_bytes` is 0 without a GPU.
    """

    model_id: str
    label: str
    task: str
    revision: str = ""
    device: str = ""
    precision: str = ""
    attention: str = ""
    voice: str = ""
    load_s: float | None = None
    first_s: float | None = None
    real_time_factor: float | None = None
    recording_s: float | None = None
    peak_cpu_bytes: int | None = None
    peak_gpu_bytes: int | None = None
    word_error_rate: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Benchmark:
    """One run. `complete` is False where it was stopped; `listener` is the Whisper that counted the
    words of the speakers, "" without one; `environment` has the versions and the machine."""

    created: str
    app_version: str
    environment: Mapping[str, str]
    text: str
    seed: int
    listener: str
    complete: bool
    figures: tuple[ModelFigures, ...]


def benchmarks_folder(services: Services) -> Path:
    """Where results are kept; it may not exist yet."""
    return services.settings.output_folder / "benchmarks"


def keep_benchmark(services: Services, benchmark: Benchmark) -> Path:
    """Keeps a result as JSON; returns where. Raises DiskFullError."""
    folder = benchmarks_folder(services)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.fromisoformat(benchmark.created).strftime("%Y%m%d-%H%M%S")
    path = unique_path(folder, stamp, ".json")
    atomic.write_json(path, asdict(benchmark))
    return path


def newest_benchmark(services: Services) -> Benchmark | None:
    """The result kept last; None where there is none that can be read."""
    for path in sorted(benchmarks_folder(services).glob("[0-9]*.json"), reverse=True):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            figures = tuple(ModelFigures(**one) for one in content["figures"])
            return Benchmark(**{**content, "figures": figures})
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("The benchmark %s cannot be read: %s", path.name, error)
    return None


def cells(figures: ModelFigures) -> tuple[str, ...]:
    """A row under HEADERS."""
    return (
        figures.label,
        _number(figures.load_s, "{:.1f} s"),
        _number(figures.first_s, "{:.2f} s"),
        _number(figures.real_time_factor, "{:.2f}"),
        _number(figures.peak_cpu_bytes, "{:,.0f} MB", 1e-6),
        _number(figures.peak_gpu_bytes or None, "{:,.0f} MB", 1e-6),
        _number(figures.word_error_rate, "{:.1f} %", 100.0),
        figures.problem or figures.voice,
    )


def _number(value: float | None, form: str, scale: float = 1.0) -> str:
    return "" if value is None else form.format(value * scale)
