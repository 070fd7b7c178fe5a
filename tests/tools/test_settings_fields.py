from __future__ import annotations

import json

import pytest

from modules.core_components.errors import BadInputError
from modules.core_components.settings import field_names
from modules.tools.services import Services
from modules.tools.settings_fields import change_settings, setting_fields


def test_every_setting_has_its_field_in_words(services: Services) -> None:
    fields = setting_fields(services)
    assert sorted(item.about.name for item in fields) == sorted(field_names())
    assert all(item.about.label and item.about.help for item in fields)
    waiting = {item.about.name for item in fields if item.needs_restart}
    assert {"port", "device", "models_folder"} <= waiting
    assert "offline_mode" not in waiting


def test_only_what_changed_is_saved(services: Services) -> None:
    given = {item.about.name: item.about.default for item in setting_fields(services)}
    assert change_settings(services, {**given, "max_sample_minutes": 3}) == ()
    kept = json.loads((services.settings.root / "config.json").read_text())
    assert kept == {"max_sample_minutes": 3.0}
    assert services.settings.max_sample_minutes == 3.0


def test_what_needs_a_restart_waits_for_it_and_is_shown_as_saved(services: Services) -> None:
    before = services.settings.port
    assert change_settings(services, {"port": 8123, "offline_mode": True}) == ("Port",)
    assert services.settings.port == before
    assert services.settings.offline_mode
    assert services.tts.settings.offline_mode, "the managers follow at once"
    shown = {item.about.name: item.about.default for item in setting_fields(services)}
    assert shown["port"] == 8123
    assert change_settings(services, {"port": before}) == ()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("port", 99_999, "port"), ("port", None, "Port is empty"), ("output_folder", " ", "empty")],
)
def test_a_bad_value_is_refused_and_nothing_saved(
    services: Services, name: str, value: object, words: str
) -> None:
    with pytest.raises(BadInputError, match=words):
        change_settings(services, {"offline_mode": True, name: value})
    assert not (services.settings.root / "config.json").exists()
    assert not services.settings.offline_mode
