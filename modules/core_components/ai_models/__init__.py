"""Everything that runs a model. `get_tts_manager` and `get_asr_manager` are the only way in."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.asr_manager import ASRManager
from modules.core_components.ai_models.tts_manager import TTSManager
from modules.core_components.settings import (
    Settings,
    app_folder,
    change,
    known_settings,
    load_settings,
)

__all__ = ["ASRManager", "TTSManager", "get_asr_manager", "get_tts_manager", "reset_managers"]

_making = threading.Lock()
_tts_manager: TTSManager | None = None
_asr_manager: ASRManager | None = None


def get_tts_manager(
    user_config: Settings | Mapping[str, Any] | None = None,
    samples_dir: str | Path | None = None,
) -> TTSManager:
    """The one manager of the models that speak.

    `user_config` are the settings, or those that differ from config.json; names that this studio
    has no setting for, such as those of another studio's config.json, are logged and ignored. The
    first call makes the manager; a later one with arguments gives it new settings. Raises
    BadInputError for a value that a setting cannot have.
    """
    global _tts_manager
    with _making:
        if _tts_manager is None:
            _tts_manager = TTSManager(_settings(user_config, samples_dir))
        elif user_config is not None or samples_dir is not None:
            _tts_manager.configure(_settings(user_config, samples_dir))
        return _tts_manager


def get_asr_manager(user_config: Settings | Mapping[str, Any] | None = None) -> ASRManager:
    """The one manager of the models that listen; see `get_tts_manager`."""
    global _asr_manager
    with _making:
        if _asr_manager is None:
            _asr_manager = ASRManager(_settings(user_config))
        elif user_config is not None:
            _asr_manager.configure(_settings(user_config))
        return _asr_manager


def reset_managers() -> None:
    """Unloads all models and forgets both managers; for tests."""
    global _tts_manager, _asr_manager
    with _making:
        for manager in (_tts_manager, _asr_manager):
            if manager is not None:
                manager.unload_all()
        _tts_manager = _asr_manager = None


def _settings(
    user_config: Settings | Mapping[str, Any] | None, samples_dir: str | Path | None = None
) -> Settings:
    settings = (
        user_config
        if isinstance(user_config, Settings)
        else load_settings(app_folder(), known_settings(user_config or {}, "user_config"))
    )
    if samples_dir is None:
        return settings
    return change(settings, samples_folder=Path(samples_dir).resolve())
