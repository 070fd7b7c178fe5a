"""Whether the devices that settings name are on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.core_components.ai_models.model_utils import get_device
from modules.core_components.model_settings import parse_model_settings
from modules.core_components.settings import parse_gpu_budgets


def check_devices(changes: Mapping[str, Any]) -> None:
    """Raises StudioError that names the devices that are here, for settings that name another, and
    BadInputError for settings that are not understood."""
    named = [changes.get("device"), changes.get("listening_device")]
    own = parse_model_settings(changes.get("model_settings", {}))
    named += [settings.device for settings in own.values()]
    named += parse_gpu_budgets(changes.get("gpu_memory_budgets", ""))
    for device in filter(None, named):
        get_device(device)
