from __future__ import annotations

import json

from typer.testing import CliRunner

from modules.cli.main import app
from modules.tools.services import Services
from modules.tools.voices.prompt_cache import DAMAGED, clear_prepared_voices, prepared_voices
from tests.helpers.fakes import SINE, SineEngine, add_noise


def test_what_is_prepared_is_shown_by_model_and_cleared(services: Services) -> None:
    assert prepared_voices(services) == ()
    anna, berta = add_noise(services, "Anna"), add_noise(services, "Berta")
    for sample in (anna, berta):
        services.tts.prepare_voice(SINE, sample)
    (found,) = prepared_voices(services)
    assert (found.model_id, found.label, found.current, found.count) == (SINE, SINE, True, 2)
    assert clear_prepared_voices(services, SINE) == found.nbytes
    assert services.tts.prepared_voice(SINE, anna) is None
    assert not services.tts.prepare_voice(SINE, anna)[1]


def test_another_revision_never_finds_them_and_they_are_told_apart(services: Services) -> None:
    sample = add_noise(services)
    services.tts.prepare_voice(SINE, sample)
    engine = services.tts.get(SINE)
    assert isinstance(engine, SineEngine)
    engine.model_revision = "r2"
    assert services.tts.prepared_voice(SINE, sample) is None
    services.tts.prepare_voice(SINE, sample)
    found = [(item.revision, item.current) for item in prepared_voices(services)]
    assert found == [("r1", False), ("r2", True)]


def test_the_command_line_shows_and_clears_damaged_ones_too(services: Services) -> None:
    services.tts.prepare_voice(SINE, add_noise(services))
    folder = services.settings.cache_folder / "prompts"
    (folder / f"{'0' * 64}.safetensors").write_bytes(b"half a fi")
    root = ["--data-root", str(services.settings.root), "models", "prompts"]
    shown = json.loads(CliRunner().invoke(app, [*root, "--json"]).stdout)
    assert [(row["label"], row["count"]) for row in shown["prepared"]] == [(DAMAGED, 1), (SINE, 1)]
    cleared = CliRunner().invoke(app, [*root, "--clear"])
    assert cleared.exit_code == 0
    assert "Freed: 0.0 MB" in cleared.stdout
    assert not list(folder.iterdir())
