from __future__ import annotations

import json

import pytest

from modules.core_components.errors import BadInputError
from modules.core_components.settings import Settings, app_folder, load_settings
from modules.tools.services import Services
from modules.tools.settings_fields import (
    change_settings,
    default_values,
    setting_fields,
    settings_table,
)


def test_every_setting_has_its_field_in_words(services: Services) -> None:
    fields = setting_fields(services)
    assert sorted(item.about.name for item in fields) == sorted(
        {*Settings.model_fields} - {"root", "model_settings", "remotes"}
    )
    assert all(item.about.label and item.about.meaning for item in fields)
    waiting = {item.about.name for item in fields if item.about.needs_restart}
    assert {"port", "device", "models_folder"} <= waiting
    assert "offline_mode" not in waiting


def test_only_what_changed_is_saved(services: Services) -> None:
    given = {item.about.name: item.value for item in setting_fields(services)}
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
    shown = {item.about.name: item.value for item in setting_fields(services)}
    assert shown["port"] == 8123
    assert change_settings(services, {"port": before}) == ()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("port", 99_999, "Port is 99999. It must lie in 0 to 65535"),
        ("port", None, "Port is empty"),
        ("output_folder", " ", "Output: No folder"),
    ],
)
def test_a_bad_value_is_refused_and_nothing_saved(
    services: Services, name: str, value: object, words: str
) -> None:
    with pytest.raises(BadInputError, match=words):
        change_settings(services, {"offline_mode": True, name: value})
    assert not (services.settings.root / "config.json").exists()
    assert not services.settings.offline_mode


def test_all_that_is_wrong_is_named_at_once(services: Services) -> None:
    given = {"port": 99_999, "torch_threads": None, "precision": "soup", "offline_mode": True}
    with pytest.raises(BadInputError) as caught:
        change_settings(services, given)
    error = caught.value
    assert {fault.about for fault in error.faults} == {"port", "torch_threads", "precision"}
    assert error.about == error.faults[0].about
    for words in ("Port is 99999. It must lie in 0 to 65535.", "is empty.", "cannot be 'soup'. C"):
        assert words in str(error)
    assert not (services.settings.root / "config.json").exists()
    assert not services.settings.offline_mode
    with pytest.raises(BadInputError) as caught:
        change_settings(services, {"port": 99_999})
    assert (caught.value.hint, caught.value.faults) == ("It must lie in 0 to 65535.", ())


def test_the_generated_files_are_up_to_date() -> None:
    defaults = (app_folder() / "configs" / "default.json").read_text(encoding="utf-8")
    assert defaults == default_values(), "run `python configs/generate.py`"
    documented = (app_folder() / "docs" / "settings.md").read_text(encoding="utf-8")
    assert documented == settings_table(), "run `python configs/generate.py`"


def test_an_unknown_setting_is_answered_with_near_ones(services: Services) -> None:
    with pytest.raises(BadInputError, match=r"no setting 'prot'\. There are: port\."):
        services.change_settings({"prot": 1})


def test_what_cannot_be_used_in_config_json_is_ignored_and_the_rest_kept(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    root = services.settings.root
    given = {"port": "x", "colour": 1, "torch_threads": 2, "models_folder": 7, "precision": "int3"}
    (root / "config.json").write_text(json.dumps(given))
    settings = load_settings(root)
    assert (settings.port, settings.torch_threads, settings.precision) == (7860, 2, "auto")
    assert all(name in caplog.text for name in ("port", "colour", "models_folder", "precision"))


def test_every_number_is_held_to_its_range_and_every_choice_to_its_list(
    services: Services,
) -> None:
    for item in setting_fields(services):
        about = item.about
        if about.maximum is not None:
            with pytest.raises(BadInputError, match=f"{about.label} is .*must lie in"):
                change_settings(services, {about.name: type(item.value)(about.maximum + 1)})
        elif about.choices:
            with pytest.raises(BadInputError, match=f"{about.label} cannot be 'soup'. Choose"):
                change_settings(services, {about.name: "soup"})
        elif isinstance(item.value, (str, bool)):
            with pytest.raises(BadInputError, match=f"{about.label} must be"):
                change_settings(services, {about.name: 7})
    assert not (services.settings.root / "config.json").exists()
