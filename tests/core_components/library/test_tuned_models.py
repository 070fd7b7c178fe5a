"""The folder of fine-tuned models."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.library.tuned_models import NEEDED, TunedModelLibrary
from tests.helpers.errors import detailed


def finished(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in (*NEEDED, "reference.wav", "optimizer.bin"):
        (folder / name).write_text(name, encoding="utf-8")
    return folder


@pytest.fixture
def library(tmp_path: Path) -> TunedModelLibrary:
    return TunedModelLibrary(tmp_path / "tuned")


def test_finished_files_become_a_model(library: TunedModelLibrary, tmp_path: Path) -> None:
    assert library.list() == ()
    card = {"name": "../Anna's voice", "base_model": "xtts-v2.0.2", "language": "it", "minutes": 12}
    model = library.add(finished(tmp_path / "ready"), card)
    assert library.list() == (model,)
    assert model.folder.parent == library.folder
    assert (model.name, model.label) == ("Anna_s_voice", "../Anna's voice")
    assert (model.base_model, model.language, model.card["minutes"]) == ("xtts-v2.0.2", "it", 12)
    assert not (model.folder / "optimizer.bin").exists()
    again = library.add(finished(tmp_path / "ready2"), card)
    assert again.name == "Anna_s_voice_2"


def test_half_a_model_leaves_nothing(library: TunedModelLibrary, tmp_path: Path) -> None:
    source = finished(tmp_path / "ready")
    (source / "vocab.json").unlink()
    with pytest.raises(BadInputError, check=detailed(r"no vocab\.json")):
        library.add(source, {})
    with pytest.raises(BadInputError, check=detailed("no config")), library.adding("x") as incoming:
        (incoming.folder / "model.pth").write_text("{}", encoding="utf-8")
    assert list(library.folder.iterdir()) == []


def test_deleted_models_come_back(library: TunedModelLibrary, tmp_path: Path) -> None:
    name = library.add(finished(tmp_path / "ready"), {"name": "Anna"}).name
    trash_id = library.delete("anna")
    assert library.list() == ()
    library.add(finished(tmp_path / "ready2"), {"name": "Anna"})
    assert library.restore(trash_id).name == "Anna_2"
    assert [model.name for model in library.list()] == [name, "Anna_2"]
    for missing in (trash_id, "../tuned", ""):
        with pytest.raises(NotFoundError):
            library.restore(missing)
    with pytest.raises(NotFoundError, match="fine-tuned"):
        library.get("../Anna")


def test_a_changed_file_is_another_revision(library: TunedModelLibrary, tmp_path: Path) -> None:
    model = library.add(finished(tmp_path / "ready"), {"name": "Anna"})
    (model.folder / "model_card.json").write_text("no json", encoding="utf-8")
    assert library.get("Anna").revision == model.revision
    assert library.get("Anna").label == "Anna"
    (model.folder / "model.pth").write_text("other weights", encoding="utf-8")
    assert library.get("Anna").revision != model.revision
