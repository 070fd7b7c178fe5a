"""One trash for everything that can be deleted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from modules.cli.main import app
from modules.core_components.errors import NotFoundError
from modules.core_components.library.conversations import Pauses
from modules.core_components.values import Speech, Transcript
from modules.tools.listening.transcripts import (
    delete_transcript,
    keep_transcript,
    list_transcripts,
)
from modules.tools.services import Services
from modules.tools.trash import KINDS, empty_trash, list_trash, restore_from_trash
from tests.helpers.fakes import add_noise


def fill(services: Services) -> dict[str, str]:
    """One thing of each kind, deleted; their trash ids by kind."""
    add_noise(services, "Anna")
    take = services.takes.save(take_fields(), tone())
    services.voices.add("Bright", b"weights", "kokoro-v1.0")
    said = keep_transcript(services, Transcript("Good morning.", "en", (), 1.0), "Meeting")
    talk = services.conversations.add("Talk", "A: hello", 1, (), (), Pauses())
    services.datasets.create("Set", "en", "Anna")
    services.training_runs.create("Run", "Set", "xtts-v2", "en", {}, ())
    source = services.settings.root / "tuned"
    source.mkdir()
    for name in ("config.json", "model.pth", "vocab.json"):
        (source / name).write_text("{}")
    services.tuned_models.add(source, {"name": "Mine"})
    return {
        "sample": services.samples.delete("Anna"),
        "take": services.takes.delete(take.id),
        "voice": services.voices.delete("Bright"),
        "transcript": delete_transcript(services, said.stem),
        "conversation": services.conversations.delete(talk.id),
        "dataset": services.datasets.delete("Set"),
        "training": services.training_runs.delete("Run"),
        "fine-tuned model": services.tuned_models.delete("Mine"),
    }


def tone() -> Speech:
    import numpy as np

    return Speech(np.sin(np.arange(8000, dtype=np.float32) / 20) / 2, 16_000)


def take_fields() -> dict[str, object]:
    return {
        "text": "hello",
        "kind": "preset",
        "voice": "af_heart",
        "engine": "Kokoro",
        "model_id": "kokoro-v1.0",
        "model_revision": "1",
        "language": "en-us",
        "seed": 1,
        "options": {},
        "app_version": "1",
    }


def test_everything_deleted_is_listed_and_comes_back(services: Services) -> None:
    ids = fill(services)
    listed = {item.kind: item for item in list_trash(services)}
    assert {kind: item.id for kind, item in listed.items()} == ids
    assert set(ids) == set(KINDS)
    assert all(item.size_bytes > 0 for kind, item in listed.items())
    for kind, item_id in ids.items():
        assert restore_from_trash(services, item_id).kind == kind
    assert list_trash(services) == ()
    assert [sample.name for sample in services.samples.list()] == ["Anna"]
    assert services.takes.count() == 1
    assert [voice.name for voice in services.voices.list()] == ["Bright"]
    assert [kept.transcript.text for kept in list_transcripts(services)] == ["Good morning."]
    assert [talk.title for talk in services.conversations.list()] == ["Talk"]
    assert [dataset.name for dataset in services.datasets.list()] == ["Set"]
    assert [run.name for run in services.training_runs.list()] == ["Run"]
    assert [model.name for model in services.tuned_models.list()] == ["Mine"]


def test_emptied_it_is_gone_and_the_room_is_counted(services: Services) -> None:
    ids = fill(services)
    size_bytes = sum(item.size_bytes for item in list_trash(services))
    assert empty_trash(services) == (len(KINDS), size_bytes)
    assert empty_trash(services) == (0, 0)
    for item_id in ids.values():
        with pytest.raises(NotFoundError, match="in the trash"):
            restore_from_trash(services, item_id)


@pytest.mark.parametrize("item_id", ["", "..", "../samples", "/etc", ".", "20990101_x"])
def test_an_id_is_never_a_path(services: Services, item_id: str) -> None:
    fill(services)
    with pytest.raises(NotFoundError):
        restore_from_trash(services, item_id)
    assert len(list_trash(services)) == len(KINDS)


def test_the_terminal_lists_restores_and_empties(services: Services) -> None:
    ids = fill(services)
    root = services.settings.root

    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["--data-root", str(root), "trash", *arguments])
        assert result.exit_code == code, result.output
        return result.stdout

    listed = json.loads(run("list", "--json"))["trash"]
    assert {row["id"] for row in listed} == set(ids.values())
    assert json.loads(run("restore", ids["voice"], "--json"))["restored"] == "Bright"
    assert "There is no" in json.loads(run("restore", "nothing", "--json", code=1))["error"]
    assert json.loads(run("empty", "--yes", "--json"))["deleted"] == len(KINDS) - 1
    assert run("list").strip() == "The trash is empty."
    assert [voice.name for voice in services.voices.list()] == ["Bright"]
    assert not list(Path(root).rglob(".trash/*"))
