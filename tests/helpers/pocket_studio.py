"""A studio without Pocket TTS, and a hub that has a tiny random one behind a gate.

Catalog, downloads, engine and package are the real ones. `pocket_root`, `pocket_hub` and
`pocket_recording` (tests/conftest.py) are fixtures of them.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path

from modules.core_components.audio.files import write_speech
from tests.core_components.ai_models.fake_hub import FakeHub, running_hub
from tests.helpers.espeak import espeak
from tests.helpers.tiny_pocket import FILES

MODEL = "pocket-tts-english"
WEIGHTS = "languages/english/model.safetensors"
# Of an account that accepted the terms, and of one that did not.
TOKEN, STRANGER = "hf_accepted1", "hf_stranger1"


def make_root(root: Path, tiny_pocket: Path) -> Path:
    """A data root without any model; the tiny sizes of the coming one are known beforehand."""
    folder = root / "models/pocket-tts/english"
    folder.mkdir(parents=True)
    (folder / FILES[0]).write_bytes((tiny_pocket / FILES[0]).read_bytes())
    choices = {"models_folder": str(root / "models"), "device": "cpu", "torch_threads": 1}
    choices |= {"score_takes": False, "preload_model": False}
    (root / "config.json").write_text(json.dumps(choices), encoding="utf-8")
    return root


def gated_hub(tiny_pocket: Path) -> AbstractContextManager[FakeHub]:
    """A hub with the tiny checkpoint."""
    files = {f"languages/english/{name}": (tiny_pocket / name).read_bytes() for name in FILES[1:]}
    return running_hub(
        files=files,
        large={WEIGHTS},
        gated={"kyutai/pocket-tts"},
        known={STRANGER},
        accepted={TOKEN},
    )


def make_recording(folder: Path) -> Path:
    """Somebody's recording, said by espeak."""
    said = espeak("The north wind and the sun disputed which of them was the stronger.")
    write_speech(folder / "Anna.wav", said)
    return folder / "Anna.wav"


def harm(path: Path) -> None:
    """Flips a bit of a file."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def has_part(root: Path) -> bool:
    """Whether some of a file that is being downloaded has arrived."""
    return any(path.stat().st_size for path in root.rglob("*.part"))
