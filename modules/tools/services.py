"""Everything that a tool needs, opened once at the start of the process."""

from __future__ import annotations

import importlib.util
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modules.core_components.ai_models import get_asr_manager, get_tts_manager
from modules.core_components.ai_models.asr_manager import ASRManager
from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.ai_models.downloads import Downloader
from modules.core_components.ai_models.model_utils import get_device
from modules.core_components.ai_models.tts_manager import TTSManager
from modules.core_components.atomic import check_writable
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.jobs import JobRunner, JobStore
from modules.core_components.library import (
    ConversationLibrary,
    DatasetLibrary,
    FavouriteVoices,
    PronunciationLibrary,
    SampleLibrary,
    TakeLibrary,
    TrainingRunLibrary,
    TunedModelLibrary,
    VoiceLibrary,
)
from modules.core_components.settings import (
    HEAVY_CLUSTER,
    HEAVY_HERE,
    HEAVY_SETTINGS,
    NO_FALLBACK,
    Settings,
    change,
    describe_settings,
    load_settings,
    parse_model_settings,
    save_settings,
)
from modules.core_components.texts import _, mark
from modules.tools.models.model_names import find_model
from modules.tools.speaking.live_feed import LiveFeeds

logger = logging.getLogger(__name__)


def check_devices(changes: Mapping[str, Any]) -> None:
    """Raises StudioError, which names the devices of this machine, for settings that name another,
    and BadInputError for settings that cannot be read."""
    named = [changes.get("device"), changes.get("listening_device")]
    own = parse_model_settings(changes.get("model_settings", {}))
    named += [settings.device for settings in own.values()]
    named += changes.get("gpu_memory_budgets", {})
    for device in filter(None, named):
        get_device(device)


def check_heavy_work(before: Settings, settings: Settings) -> None:
    """Raises StudioError, which says what to do, for a new choice of where heavy work runs that
    cannot be used.

    A choice that stays is not looked at: users who lost Ray must be able to change all else.
    """
    is_new = any(getattr(before, name) != getattr(settings, name) for name in HEAVY_SETTINGS)
    if settings.heavy_work == HEAVY_HERE or not is_new:
        return
    require_ray()
    if settings.heavy_work == HEAVY_CLUSTER and not settings.cluster_address:
        raise BadInputError(
            _("The address of the cluster is missing."),
            _("Give host and port of its head, such as 10.0.0.5:6379."),
            "cluster_address",
        )


def ray_is_installed() -> bool:
    """Whether the extra for clusters is here; Ray itself is not imported for that."""
    return importlib.util.find_spec("ray") is not None


def require_ray() -> None:
    """Raises StudioError, which says how to get Ray, where it is not installed."""
    if not ray_is_installed():
        raise StudioError(
            _("Ray is not installed, which work on several workers or machines needs."),
            _("Run the installer once more, with the option --cluster."),
            details="`bash install.sh --cluster`, on Windows `install.bat --cluster`.",
        )


# Folders are opened when the studio starts; moving them under running jobs would lose work.
RESTART_SETTINGS = frozenset(item.name for item in describe_settings() if item.needs_restart)


@dataclass
class Services:
    """The studio behind page, API and command line.

    `settings` is replaced as a whole when the user changes it.
    """

    settings: Settings
    catalog: Catalog
    downloader: Downloader
    tts: TTSManager
    asr: ASRManager
    samples: SampleLibrary
    takes: TakeLibrary
    voices: VoiceLibrary
    favourites: FavouriteVoices
    pronunciations: PronunciationLibrary
    training_runs: TrainingRunLibrary
    datasets: DatasetLibrary
    conversations: ConversationLibrary
    jobs: JobRunner
    overrides: Mapping[str, Any] = field(default_factory=dict)
    live: LiveFeeds = field(default_factory=LiveFeeds)

    @property
    def tuned_models(self) -> TunedModelLibrary:
        """The models the user fine-tuned or imported."""
        return self.tts.tuned_models

    @property
    def exports_folder(self) -> Path:
        """Files for downloads; each can be made again."""
        return self.settings.cache_folder / "exports"

    @property
    def previews_folder(self) -> Path:
        """Voice previews; each can be made again."""
        return self.settings.cache_folder / "previews"

    @property
    def waveforms_folder(self) -> Path:
        """What players draw of recordings; each can be made again."""
        return self.settings.cache_folder / "waveforms"

    def change_settings(self, changes: Mapping[str, Any]) -> tuple[str, ...]:
        """Saves the changes; returns the names of those that take effect at the next start.

        Raises BadInputError, DiskFullError, and StudioError for a device that is not here; then
        nothing is saved.
        """
        changes = {**changes, **self._model_ids(changes)}
        saved = self.saved_settings()
        wanted_settings = change(saved, **changes)
        check_devices(changes)
        check_heavy_work(saved, wanted_settings)
        save_settings(self.settings.root, changes)
        now = {name: getattr(self.settings, name) for name in RESTART_SETTINGS}
        wanted = self.saved_settings()
        waiting = tuple(sorted(name for name in now if getattr(wanted, name) != now[name]))
        self.settings = change(wanted, **now)
        self.tts.configure(self.settings)
        self.asr.configure(self.settings)
        return waiting

    def saved_settings(self) -> Settings:
        """The settings as the next start will find them."""
        return load_settings(self.settings.root, self.overrides)

    def _model_ids(self, changes: Mapping[str, Any]) -> dict[str, str]:
        """The ids for the models that settings name by a short name. Raises NotFoundError."""
        managers = {"tts_model": self.tts, "asr_model": self.asr}
        managers |= {f"fallback_{name}": manager for name, manager in managers.items()}
        return {
            name: find_model(managers[name], value)
            for name, value in changes.items()
            if name in managers
            and isinstance(value, str)
            and value not in (NO_FALLBACK, getattr(self.settings, name))
        }

    def close(self) -> None:
        """Stops running jobs (they can be resumed) and frees the models."""
        self.jobs.shutdown()
        self.tts.unload_all()
        self.asr.unload_all()


# For the log, the list of jobs and a short take.
_LEAST_ROOM_BYTES = 2_000_000
_OTHER_ROOT = mark("Choose another folder with --data-root, or make this one writable.")


def open_services(root: Path, overrides: Mapping[str, Any] | None = None) -> Services:
    """Opens the studio in `root`; no model is loaded and nothing is fetched yet.

    Raises NotWritableError and DiskFullError if nothing can be kept there.
    """
    settings = load_settings(root, overrides)
    for folder in (root, settings.samples_folder, settings.output_folder, settings.cache_folder):
        check_writable(folder, _(_OTHER_ROOT), _LEAST_ROOM_BYTES)
        folder.mkdir(parents=True, exist_ok=True)
    tts = get_tts_manager(settings, settings.samples_folder)
    asr = get_asr_manager(settings)
    return Services(
        settings=settings,
        catalog=tts.catalog,
        downloader=tts.downloader,
        tts=tts,
        asr=asr,
        samples=SampleLibrary(
            settings.samples_folder, max_duration_s=settings.max_sample_minutes * 60
        ),
        takes=TakeLibrary(settings.output_folder),
        voices=VoiceLibrary(settings.voices_folder),
        favourites=FavouriteVoices(settings.root / "favourite_voices.json"),
        pronunciations=PronunciationLibrary(settings.root / "pronunciations.json"),
        training_runs=TrainingRunLibrary(settings.training_folder),
        datasets=DatasetLibrary(settings.datasets_folder),
        conversations=ConversationLibrary(settings.output_folder / "conversations"),
        jobs=JobRunner(
            # A preview does not wait until a voice is fitted, nor a transcription for a training.
            JobStore(settings.cache_folder / "jobs.sqlite"),
            lanes={
                "compute": 1,
                "network": 1,
                "preview": 1,
                "training": 1,
                "loading": 1,
                "preparing": 1,
                "refining": 1,
            },
        ),
        overrides=dict(overrides or {}),
    )


DAY_S = 86_400
# By folder of the cache. Transcribing hours of recordings takes hours: that is kept for longer.
KEEP_DAYS = {"inbox": 7, "exports": 7, "listening": 90, "waveforms": 30}


def clean_cache(services: Services) -> int:
    """Removes cached files that have not been used for these days; returns how many."""
    now = time.time()
    old = [
        path
        for name, days in KEEP_DAYS.items()
        for path in (services.settings.cache_folder / name).glob("*")
        if path.is_file() and now - path.stat().st_mtime > days * DAY_S
    ]
    return sum(_remove(path) for path in old)


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except OSError as error:  # in use, on Windows; the next start tries again
        logger.warning("%s stays in the cache: %s", path, error)
        return False
    return True
