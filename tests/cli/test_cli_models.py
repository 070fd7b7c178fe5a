"""`models ...`, `pronunciations ...`, `trash ...` and `train ...` on fakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from modules.cli.main import app
from modules.core_components.settings import ModelSettings
from modules.tools.models.library import access_token
from modules.tools.services import Services
from tests.cli.conftest import Command
from tests.helpers.fakes import SINE, add_noise


def test_list_shows_every_model(command: Command, words: Callable[..., str]) -> None:
    models = {row["entry"]["id"]: row for row in command("models", "list")["models"]}
    assert models["kokoro-v1.0"]["state"] == "missing"
    assert models["whisper-tiny.en"]["entry"]["task"] == "speech-to-text"
    assert "kokoro-v1.0" in words("models", "list")


def test_status_and_delete_take_short_names(command: Command) -> None:
    (row,) = command("models", "status", "kokoro", code=1)["models"]
    assert (row["model_id"], row["state"]) == ("kokoro-v1.0", "missing")
    assert row["problem"]
    assert command("models", "delete", "tiny.en")["deleted"] == ["whisper-tiny.en"]
    answer = command("models", "delete", "kokoro-v9", code=1)
    assert "There is no model 'kokoro-v9'." in answer["error"]
    assert "kokoro-v1.0" in answer["hint"]


def test_download_needs_a_name_and_the_licence(command: Command) -> None:
    assert "No model was named" in command("models", "download", code=1)["error"]
    assert "License" in command("models", "download", "xtts", code=1)["error"]


def test_configure_keeps_and_resets_a_choice(command: Command, services: Services) -> None:
    answer = command("models", "configure", "kokoro", "--device", "cpu", "--keep-loaded")
    assert answer["model"] == "kokoro-v1.0"
    assert services.settings.of_model("kokoro-v1.0") == ModelSettings(
        device="cpu", keep_loaded=True
    )
    command("models", "configure", "kokoro", "--device", "", "--no-keep-loaded")
    assert services.settings.of_model("kokoro-v1.0") == ModelSettings()
    assert command("models", "configure", "kokoro", "--precision", "int3", code=1)["hint"]


def test_plan_has_figures(command: Command, words: Callable[..., str]) -> None:
    plan = command("models", "plan", "kokoro")["plan"]
    assert plan["name"] == "Kokoro 82M v1.0"
    assert plan["nbytes"] > 0
    assert plan["leaving"] == []
    table = words("models", "plan", "kokoro")
    assert "needs" in table
    assert "MB" in table
    assert command("models", "plan", SINE) == {"plan": None, "would_fit": []}


def test_prompts_are_counted_and_cleared(command: Command, services: Services) -> None:
    services.tts.prepare_voice(SINE, add_noise(services, "Anna"))
    (row,) = command("models", "prompts")["prepared"]
    assert (row["model_id"], row["count"]) == (SINE, 1)
    assert command("models", "prompts", "--clear", SINE)["freed_bytes"] > 0
    assert command("models", "prompts")["prepared"] == []


def test_tuned_models_need_a_zip_of_one(command: Command, tmp_path: Path) -> None:
    archive = tmp_path / "voice.zip"
    archive.write_bytes(b"no zip")
    assert "License" in command("models", "tuned", "import", str(archive), code=1)["error"]
    words = ("models", "tuned", "import", str(archive), "--accept-licence")
    assert command(*words, code=1)["error"]
    assert command("models", "tuned", "export", "nobody", code=1)["error"]
    assert command("models", "tuned", "restore") == {"restored": "", "trash": []}


def test_pronunciations(command: Command, services: Services) -> None:
    command("pronunciations", "add", "Nguyen", "win", "--language", "en-us")
    found = command("pronunciations", "list")["pronunciations"]
    assert found == {"en-us": {"Nguyen": "win"}}
    command("pronunciations", "remove", "Nguyen", "--language", "en-us")
    assert services.pronunciations.entries("en-us") == {}
    assert command("pronunciations", "remove", "Nguyen", "--language", "en-us", code=1)["error"]


def test_trash(command: Command, services: Services) -> None:
    add_noise(services, "Anna")
    services.samples.delete("Anna")
    (item,) = command("trash", "list")["trash"]
    assert item["kind"] == "sample"
    assert command("trash", "restore", item["id"]) == {"restored": "Anna", "kind": "sample"}
    services.samples.delete("Anna")
    assert command("trash", "empty", "--yes")["deleted"] == 1
    assert command("trash", "list") == {"trash": []}


def test_bench_refuses_what_is_not_installed(command: Command) -> None:
    assert "is not installed" in command("bench", "kokoro", code=1)["error"]


@pytest.mark.parametrize(
    "words",
    [
        ("train", "preflight", "--dataset", "nothing"),
        ("train", "xtts", "--dataset", "nothing"),
        ("train", "resume", "nothing"),
        ("train", "status", "nothing"),
        ("train", "stop", "nothing"),
        ("train", "evaluate", "nothing"),
        ("train", "publish", "nothing", "--name", "Anna"),
        ("dataset", "show", "nothing"),
        ("dataset", "export", "nothing", "--out", "out.zip"),
        ("dataset", "delete", "nothing"),
    ],
)
def test_an_unknown_name_is_answered_with_one_object(
    command: Command, words: tuple[str, ...]
) -> None:
    assert "'nothing'" in command(*words, code=1)["error"]


def test_train_preflight_reads_set(command: Command, services: Services) -> None:
    services.datasets.create("Anna", "en", "Anna", agreed=True)
    found = command("train", "preflight", "--dataset", "Anna", "--set", "batch-size=2", code=1)
    assert {check["level"] for check in found["checks"]} >= {"stop"}
    answer = command("train", "preflight", "--dataset", "Anna", "--set", "batch=2", code=1)
    assert "There is no option 'batch" in answer["error"]


def test_an_access_token_is_set_and_removed_and_never_shown(services: Services) -> None:
    root = str(services.settings.root)

    def run(*words: str, given: str = "") -> str:
        outcome = CliRunner().invoke(app, ["--data-root", root, "models", "token", *words], given)
        return f"{outcome.exit_code} {outcome.output}"

    assert run("status") == "0 No access token is saved.\n"
    assert run("set", given="hf_abcDEF123456\n") == "0 The access token is saved.\n"
    assert run("status", "--json") == '0 {"saved": true}\n'
    assert access_token(services).read() == "hf_abcDEF123456"
    refused = run("set", given="no such token\n")
    assert refused.startswith("1 ")
    assert "no such token" not in refused
    assert run("remove", "--json") == '0 {"removed": true}\n'
    assert not access_token(services).saved
