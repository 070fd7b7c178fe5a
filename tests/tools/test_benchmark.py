from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from modules.cli.main import app
from modules.core_components.errors import BadInputError, JobCancelled, NotFoundError
from modules.core_components.progress import CancelToken
from modules.core_components.settings import app_folder
from modules.core_components.values import Speech
from modules.tools.models.benchmark import (
    HEADERS,
    Benchmark,
    BenchmarkRequest,
    benchmarks_folder,
    cells,
    newest_benchmark,
    run_benchmark,
    submit_benchmark,
)
from modules.tools.models.cluster_benchmark import benchmark_elsewhere, require_other_machine
from modules.tools.services import Services
from modules.tools.work.executor import LocalExecutor
from tests.helpers.fakes import ECHO, SINE, SineEngine, add_noise, fake_entry

VOICELESS, FAILING = "voiceless-1", "failing-1"


class Voiceless(SineEngine):
    """Speaks in the voice of a sample only."""

    model_id = VOICELESS

    def voices(self) -> tuple[str, ...]:
        return ()


class Failing(SineEngine):
    model_id = FAILING

    def load(self, cancel: CancelToken | None = None) -> None:
        raise RuntimeError("the driver is too old")


def plug_in(services: Services, engine: SineEngine) -> None:
    entry = fake_entry(engine.model_id, "text-to-speech", ("clone",))
    services.tts.register_engine(engine.model_id, lambda entry, context: engine, entry)


def row(found: Benchmark, model_id: str) -> Any:
    return next(figures for figures in found.figures if figures.model_id == model_id)


def test_every_installed_model_speaks_or_listens_and_the_result_is_kept(services: Services) -> None:
    add_noise(services, "Anna")
    plug_in(services, Voiceless())
    plug_in(services, Failing())
    seen: list[float] = []
    found = run_benchmark(services, BenchmarkRequest(), lambda at, message: seen.append(at))
    assert [figures.model_id for figures in found.figures] == [SINE, VOICELESS, FAILING, ECHO]
    assert (row(found, SINE).voice, row(found, VOICELESS).voice) == ("high", "Anna")
    for model_id in (SINE, VOICELESS):
        figures = row(found, model_id)
        assert 0 <= figures.first_s <= figures.real_time_factor * figures.recording_s + 0.01
        assert figures.peak_cpu_bytes > 10_000_000
        assert figures.word_error_rate is None  # there is no Whisper
    assert "the driver is too old" in row(found, FAILING).problem
    assert row(found, ECHO).word_error_rate == pytest.approx(1.0, abs=0.1)
    assert row(found, ECHO).recording_s == row(found, SINE).recording_s
    assert seen == sorted(seen)
    assert found.complete
    assert found.environment["torch"]
    assert newest_benchmark(services) == found
    assert all(len(cells(figures)) == len(HEADERS) for figures in found.figures)


def test_only_what_is_asked_for_and_somebody_to_listen_to(services: Services) -> None:
    plug_in(services, Voiceless())
    found = run_benchmark(services, BenchmarkRequest((ECHO,)))
    assert [figures.model_id for figures in found.figures] == [SINE, ECHO]
    found = run_benchmark(services, BenchmarkRequest((VOICELESS,)))
    assert "no voice of its own" in row(found, VOICELESS).problem
    for model_id, error in (
        ("kokoro-v0.19", BadInputError),
        ("ge2e", BadInputError),
        ("no-such-model", NotFoundError),
    ):
        with pytest.raises(error):
            run_benchmark(services, BenchmarkRequest((model_id,)))
    with pytest.raises(NotFoundError):
        run_benchmark(services, BenchmarkRequest(sample="nobody"))
    assert len(list(benchmarks_folder(services).iterdir())) == 2


def test_stopping_keeps_what_was_measured(services: Services) -> None:
    cancel = CancelToken()

    def stop_at_the_second(fraction: float, message: str) -> None:
        if message == "Echo 1: listening":
            cancel.cancel()

    with pytest.raises(JobCancelled):
        run_benchmark(services, BenchmarkRequest(), stop_at_the_second, cancel)
    kept = newest_benchmark(services)
    assert kept is not None
    assert not kept.complete
    assert [figures.model_id for figures in kept.figures] == [SINE]


def test_the_command_line_prints_one_object_and_a_table(services: Services) -> None:
    root = ["--data-root", str(services.settings.root), "bench", SINE]
    printed = json.loads(CliRunner().invoke(app, [*root, "--json"]).stdout)
    assert printed["figures"][0]["model_id"] == SINE
    assert printed["environment"]["python"]
    table = CliRunner().invoke(app, root, env={"COLUMNS": "160"}).stdout
    assert "Real-time factor" in table
    assert SINE in table


def test_ctrl_c_stops_cleanly(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = SineEngine.stream

    def interrupted(*arguments: Any) -> Iterator[Speech]:
        signal.raise_signal(signal.SIGINT)
        # The main thread handles the signal, when it gets to it.
        assert arguments[-1].wait(30)
        yield from stream(*arguments)

    monkeypatch.setattr(SineEngine, "stream", interrupted)
    before = signal.getsignal(signal.SIGINT)
    outcome = CliRunner().invoke(app, ["--data-root", str(services.settings.root), "bench"])
    assert outcome.exit_code == 130
    assert "What was finished is kept" in outcome.stderr
    assert signal.getsignal(signal.SIGINT) == before
    assert newest_benchmark(services) is None  # nothing was


def test_it_runs_as_a_job(services: Services) -> None:
    job = submit_benchmark(services)
    done = services.jobs.wait(job.id, 60)
    assert done.result == {"created": getattr(newest_benchmark(services), "created", None)}


def test_a_result_that_cannot_be_read_is_passed_over(services: Services) -> None:
    found = run_benchmark(services, BenchmarkRequest((SINE,)))
    (benchmarks_folder(services) / "99990101-000000.json").write_text("{}", encoding="utf-8")
    assert newest_benchmark(services) == found


def test_the_peak_is_that_of_the_block() -> None:
    # In a process of its own: one that has freed gigabytes takes the array from those.
    program = """
import numpy as np
from modules.core_components.ai_models.model_utils import PeakMemory
with PeakMemory() as before:
    pass
with PeakMemory() as peak:
    held = np.ones(20_000_000)
assert held.nbytes == 160_000_000
assert peak.cpu_bytes - before.cpu_bytes > 100_000_000
"""
    subprocess.run([sys.executable, "-c", program], cwd=app_folder(), check=True)


def test_a_worker_measures_without_changing_what_is_known_of_this_machine(
    services: Services,
) -> None:
    plug_in(services, Failing())
    found = benchmark_elsewhere(
        services, LocalExecutor(services), BenchmarkRequest((SINE, FAILING))
    )
    assert [figures.model_id for figures in found.figures] == [SINE, FAILING]
    assert row(found, SINE).real_time_factor is not None
    assert "the driver is too old" in row(found, FAILING).problem
    assert found.complete
    assert newest_benchmark(services) is None
    assert not any((services.settings.cache_folder / "work").iterdir())
    with pytest.raises(NotFoundError):
        benchmark_elsewhere(services, LocalExecutor(services), BenchmarkRequest(("nothing",)))
    for address in ("local", "none"):
        with pytest.raises(BadInputError, match="only what it has"):
            require_other_machine(address)
