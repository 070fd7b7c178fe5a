"""Which engines are recommended for a sample, by hub, machine, language, licence and disk."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.core_components.access_token import AccessToken
from modules.core_components.library.takes import TakeLibrary
from modules.core_components.settings import change
from modules.core_components.values import Speech
from modules.core_components.version import computing_environment
from modules.tools.models import library, speed
from modules.tools.models.recommendation import Recommendation, recommend
from modules.tools.services import Services, open_services
from tests.core_components.ai_models.fake_hub import FakeHub
from tests.helpers.fakes import SINE, SineEngine, add_noise, fake_entry
from tests.helpers.pocket_studio import MODEL, TOKEN

# A processor of two cores, and a large GPU: the seconds of a decoder step.
LAPTOP_S, WORKSTATION_S = 0.012, 0.0005
Engines = Callable[..., dict[str, Recommendation]]


@pytest.fixture
def services(pocket_root: Path, pocket_hub: FakeHub) -> Iterator[Services]:
    opened = open_services(pocket_root)
    yield opened
    opened.close()


@pytest.fixture
def engines(services: Services, monkeypatch: pytest.MonkeyPatch) -> Engines:
    """What is recommended, by model id, in its order."""

    def engines(sample: str = "", step_s: float = LAPTOP_S) -> dict[str, Recommendation]:
        (services.settings.cache_folder / speed.KEPT_NAME).unlink(missing_ok=True)
        monkeypatch.setattr(speed, "decoder_step_seconds", lambda device: step_s)
        return {one.model_id: one for one in recommend(services, sample)}

    return engines


def test_a_newcomer_without_a_gpu_is_offered_pocket_tts(engines: Engines) -> None:
    found = engines()
    first = found[next(iter(found))]
    assert (first.model_id, first.way, first.problem) == (MODEL, "clone", "")
    assert (first.needs_acceptance, first.needs_token) == (True, True)
    assert first.facts[:2] == ("true clone", "a download of 220.0 MB")
    assert "Kyutai" in first.facts[2]
    assert first.speed is not None
    assert first.speed.real_time_factor < 1
    assert "estimated" in first.facts[3]
    assert list(found).index("kokoro-v1.0") < list(found).index("qwen3-tts-0.6b-base")


@pytest.mark.parametrize("how", ["server error", "gone", "offline"])
def test_without_the_hub_the_voice_match_comes_first(
    services: Services,
    pocket_hub: FakeHub,
    engines: Engines,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if how == "server error":
        pocket_hub.listing_status = 503
    elif how == "gone":
        for transport in services.downloader._transports:
            if not transport.local and hasattr(transport, "_endpoint"):
                monkeypatch.setattr(transport, "_endpoint", "http://127.0.0.1:9")
    else:
        services.settings = change(services.settings, offline_mode=True)
        services.tts.settings = services.settings
        starter = services.catalog.folder(services.catalog.entry("kokoro-v1.0"))
        for name in ("config.json", "kokoro-v1_0.pth", "voices/af_heart.pt"):
            (starter / name).parent.mkdir(parents=True, exist_ok=True)
            (starter / name).write_bytes(b"")
        monkeypatch.setattr(services.catalog, "state", lambda entry: state_of(entry.id))
    found = engines()
    assert next(iter(found)) == "kokoro-v1.0"
    assert found["kokoro-v1.0"].problem == ""
    words = {"server error": "503", "gone": "cannot be reached", "offline": "the studio is offline"}
    assert words[how] in found[MODEL].problem
    assert found[MODEL].hint


def state_of(model_id: str) -> str:
    return "installed" if model_id == "kokoro-v1.0" else "missing"


def test_the_hub_is_asked_once_a_minute(engines: Engines, pocket_hub: FakeHub) -> None:
    engines()
    engines()
    assert len(pocket_hub.asked) == 1


def test_a_fast_machine_gets_the_first_of_the_catalog(engines: Engines) -> None:
    found = list(engines(step_s=WORKSTATION_S))
    assert found[0] == "qwen3-tts-1.7b-base"
    assert found.index("xtts-v2.0.3") < found.index("kokoro-v1.0")


def test_on_a_slow_machine_the_faster_clones_come_first(engines: Engines) -> None:
    found = engines(step_s=0.04)
    small = ["qwen3-tts-0.6b-base", "vibevoice-1.5b", "omnivoice"]
    assert [name for name in found if not found[name].problem] == [
        MODEL, "kokoro-v1.0", "xtts-v2.0.3", *small,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "first"),
    [
        ("fr", "pocket-tts-french"),
        ("pt-br", "pocket-tts-portuguese"),
        ("hi", "xtts-v2.0.3"),
        ("am", "omnivoice-amharic"),
        ("sw", "omnivoice"),
    ],
)
def test_the_language_of_the_sample_decides(
    services: Services, engines: Engines, language: str, first: str
) -> None:
    add_noise(services, "Anna")
    services.samples.update("Anna", language=language)
    found = engines("Anna")
    assert next(iter(found)) == first
    speaks = [one.speaks_language for one in found.values()]
    assert speaks == sorted(speaks, reverse=True)
    assert "English, Chinese, not" in found["vibevoice-1.5b"].facts[4]


def test_acceptance_and_token_are_asked_for_once(services: Services, engines: Engines) -> None:
    library.accept_licence(services, MODEL)
    assert not engines()[MODEL].needs_acceptance
    assert engines()[MODEL].needs_token
    AccessToken(services.settings.root).save(TOKEN)
    assert not engines()[MODEL].needs_token
    assert not engines()["xtts-v2.0.3"].needs_token
    assert engines()["xtts-v2.0.3"].needs_acceptance
    assert "(non-commercial)" in engines()["xtts-v2.0.3"].facts[2]


def test_what_fits_neither_memory_nor_disk_comes_last(
    services: Services, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.tts.pool.configure(budgets={"cpu": 1_000_000_000})
    found = engines()
    assert "but models may only use" in found["xtts-v2.0.3"].problem
    assert found[MODEL].problem == ""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(0, 0, 150_000_000))
    found = engines()
    assert "150.0 MB free" in found[MODEL].problem
    assert "Free some space" in found[MODEL].hint


def test_an_installed_engine_is_listed_without_a_rank(services: Services, engines: Engines) -> None:
    entry = fake_entry(SINE, "text-to-speech", ("clone",))
    services.tts.register_engine(SINE, lambda entry, context: SineEngine(), entry)
    found = engines()[SINE]
    assert found.is_installed
    assert found.facts[1] == "on this machine"


def keep_take(takes: TakeLibrary, speaking_s: float, environment: dict[str, str]) -> None:
    fields: dict[str, Any] = {
        "text": "Hi.", "kind": "sample", "voice": "Anna", "engine": "Pocket", "model_id": MODEL,
        "model_revision": "1", "language": "en", "seed": 1, "options": {}, "app_version": "1",
        "environment": environment, "timings_s": {"speak": speaking_s}, "audio_sha256": "",
    }  # fmt: skip
    takes.save(fields, Speech(np.zeros(48_000, np.float32), 24_000))


def test_a_speed_is_measured_where_the_model_spoke_here(
    services: Services, engines: Engines
) -> None:
    here = dict(computing_environment())
    keep_take(services.takes, 90.0, {**here, "cpu_capability": "another"})
    estimated = engines()[MODEL].speed
    assert estimated is not None
    assert not estimated.measured
    for speaking_s in (1.0, 1.2, 30.0):  # the last one waited for others
        keep_take(services.takes, speaking_s, here)
    measured = engines()[MODEL].speed
    assert measured == speed.Speed(0.6, measured=True)
    assert measured.in_words() == "0.6 s for a second of speech (measured here)"


def test_a_machine_is_measured_once_and_by_its_name(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def measure(device: str) -> float:
        asked.append(device)
        return 0.02

    monkeypatch.setattr(speed, "decoder_step_seconds", measure)
    recommend(services)
    recommend(services)
    assert asked == ["cpu"]
    monkeypatch.setattr("platform.node", lambda: "another")
    recommend(services)
    assert asked == ["cpu", "cpu"]


def test_the_decoder_step_takes_time() -> None:
    from modules.core_components.ai_models.decoder_step import decoder_step_seconds

    assert 0 < decoder_step_seconds("cpu") < 60
