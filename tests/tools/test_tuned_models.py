"""Fine-tuned models in a studio: imported, listed, packed, deleted."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from modules.core_components.ai_models.downloads.downloader import LicenceNotAcceptedError
from modules.core_components.ai_models.engines.xtts.checkpoint import TEXT_EMBEDDING, read_weights
from modules.core_components.audio.files import write_speech
from modules.core_components.errors import CorruptFileError, NotFoundError
from modules.core_components.values import Speech
from modules.tools.models import library, tuned_models
from modules.tools.models.library import submit_load
from modules.tools.models.tuned_models import submit_export, submit_import
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest, complete_speech
from modules.tools.speaking.voice_lookup import find_voice, voices_to_choose

TOKENS = ("[STOP]", "[UNK]", "[SPACE]", "[en]", "[it]", "[START]", "a")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """What a trainer leaves behind, as far as it is read before something is spoken."""
    folder = tmp_path / "ready"
    folder.mkdir()
    vocabulary = {"model": {"vocab": {t: i for i, t in enumerate(TOKENS)}}, "added_tokens": []}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "config.json").write_text('{"model_args": {"gpt_layers": 2}}', encoding="utf-8")
    weights = {"xtts.gpt.text_embedding.weight": torch.zeros(len(TOKENS), 4)}
    torch.save({"model": weights, "step": 7}, folder / "model.pth")
    latents = {
        "gpt_cond_latent": torch.zeros(1, 32, 4),
        "speaker_embedding": torch.zeros(1, 512, 1),
    }
    torch.save({"Ana Florence": latents}, folder / "speakers_xtts.pth")
    write_speech(folder / "reference.wav", Speech(np.full(24_000, 0.1, np.float32), 24_000))
    card = {"name": "Anna", "base_model": "xtts-v2.0.3", "language": "it", "minutes": 12.5}
    (folder / "model_card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


@pytest.fixture
def archive(files: Path) -> Path:
    path = files.parent / "anna.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for file in files.iterdir():
            packed.write(file, f"anna/{file.name}")
    return path


@pytest.fixture
def services(services: Services) -> Services:
    library.accept_licence(services, tuned_models.BASE)
    return services


def test_an_imported_model_stands_everywhere_at_once(services: Services, archive: Path) -> None:
    before = services.tts.engine_ids()
    model = tuned_models.import_tuned(services, archive)
    model_id = tuned_models.model_id_of(model)
    assert model_id == "xtts-Anna"
    assert services.tts.engine_ids() == (*before, model_id)
    assert services.tts.available(model_id)
    assert services.tts.get(model_id).languages == ("it", "en")
    (item,) = (item for item in library.list_models(services) if item.tuned is not None)
    assert (item.entry.id, item.entry.label, item.state) == (model_id, "Anna", "installed")
    assert item.entry.licence.consent_required
    assert tuned_models.card_facts(model)["Minutes"] == "12.5"
    voices = voices_to_choose(services, model_id)
    assert [(voice.name, voice.language) for voice in voices] == [
        ("reference", "it"),
        ("Ana Florence", ""),
    ]
    request = SpeechRequest("Ciao.", "reference", "preset", model_id)
    assert complete_speech(services, request).language == "it"
    assert find_voice(services, services.tts.get(model_id), "Ana Florence").kind == "preset"
    assert "Anna" in submit_load(services, model_id).title
    assert library.check(services, (model_id,))[0].problem == ""


def test_a_model_goes_to_the_trash_and_comes_back(services: Services, archive: Path) -> None:
    model = tuned_models.import_tuned(services, archive, "My Anna")
    model_id = tuned_models.model_id_of(model)
    library.delete(services, model_id)
    with pytest.raises(NotFoundError):
        services.tts.get(model_id)
    services.tuned_models.restore(services.tuned_models.trash.ids()[0])
    assert services.tts.get(model_id).label == "My Anna"
    assert services.tts.get_xtts("My_Anna") is services.tts.get(model_id)
    assert services.tts.get_xtts(model.folder) is services.tts.get(model_id)


def test_a_folder_anywhere_is_a_model(services: Services, files: Path) -> None:
    engine = services.tts.get_xtts(files)
    assert engine.model_id.startswith("xtts-ready-")
    assert services.tts.get(engine.model_id) is engine
    assert services.tts.get_xtts(str(files)) is engine


def test_a_packed_model_is_taken_in_again(
    services: Services, archive: Path, tmp_path: Path
) -> None:
    model = tuned_models.import_tuned(services, archive)
    packed = tuned_models.export_tuned(services, model.name, tmp_path / "out" / "packed.zip")
    again = tuned_models.import_tuned(services, packed, "Again")
    for file in model.folder.iterdir():
        if file.name not in ("model_card.json", "model.pth"):
            assert (again.folder / file.name).read_bytes() == file.read_bytes()
    before, after = (read_weights(one.folder / "model.pth") for one in (model, again))
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert again.card["minutes"] == 12.5


def test_a_packed_model_has_what_ebook2audiobook_wants(
    services: Services, archive: Path, files: Path, tmp_path: Path
) -> None:
    model = tuned_models.import_tuned(services, archive)
    packed = tuned_models.export_tuned(services, model.name, tmp_path / "packed.zip")
    with zipfile.ZipFile(packed) as content:
        sizes = {one.filename: one.file_size for one in content.infolist()}
        reference = content.read("ref.wav")
    assert all(sizes[name] for name in ("config.json", "model.pth", "vocab.json", "ref.wav"))
    assert reference == (files / "reference.wav").read_bytes()
    assert [path.name for path in tmp_path.glob("*packing*")] == []


def test_what_is_packed_holds_tensors_and_nothing_to_unpickle(
    services: Services, archive: Path, files: Path, tmp_path: Path
) -> None:
    """Other programs load the file with coqui's classes at hand; an object in it would be made."""
    from TTS.tts.configs.xtts_config import XttsArgs

    weights = read_weights(files / "model.pth")
    torch.save({"config": XttsArgs(), "model": dict(weights)}, files / "model.pth")
    with zipfile.ZipFile(archive, "w") as content:
        for file in files.iterdir():
            content.write(file, file.name)
    model = tuned_models.import_tuned(services, archive)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(model.folder / "model.pth", weights_only=True)
    packed = tuned_models.export_tuned(services, model.name, tmp_path / "packed.zip")
    with zipfile.ZipFile(packed) as content:
        written = torch.load(io.BytesIO(content.read("model.pth")), weights_only=True)
    assert list(written) == ["model"]
    assert torch.equal(written["model"][TEXT_EMBEDDING], weights[TEXT_EMBEDDING])


def test_a_model_from_ebook2audiobook_keeps_its_voice(services: Services, files: Path) -> None:
    (files / "reference.wav").rename(files / "ref.wav")
    packed = files.parent / "narrator.zip"
    with zipfile.ZipFile(packed, "w") as content:
        for name in ("config.json", "model.pth", "vocab.json", "ref.wav"):
            content.write(files / name, name)
    model = tuned_models.import_tuned(services, packed)
    assert (model.folder / "reference.wav").read_bytes() == (files / "ref.wav").read_bytes()
    assert not (model.folder / "ref.wav").exists()
    voices = voices_to_choose(services, tuned_models.model_id_of(model))
    assert "reference" in [voice.name for voice in voices]


def test_the_jobs_do_both(services: Services, archive: Path) -> None:
    imported = services.jobs.wait(submit_import(services, archive, "", accepted=False).id, 60)
    assert imported.result == {"model": "xtts-Anna"}
    packed = services.jobs.wait(submit_export(services, "xtts-Anna").id, 60)
    assert packed.result is not None
    assert zipfile.is_zipfile(packed.result["file"])


def test_mixed_files_are_refused_and_leave_nothing(
    services: Services, files: Path, archive: Path
) -> None:
    with zipfile.ZipFile(archive, "w") as packed:
        weights = {"gpt.text_embedding.weight": torch.zeros(3, 4)}
        torch.save({"model": weights}, files / "model.pth")
        for file in files.iterdir():
            packed.write(file, file.name)
    with pytest.raises(CorruptFileError, match="different versions"):
        tuned_models.import_tuned(services, archive)
    assert services.tuned_models.list() == ()
    assert list(services.tuned_models.folder.iterdir()) == []


def test_nothing_is_taken_in_before_the_licence_is_accepted(
    services: Services, archive: Path
) -> None:
    (services.catalog.models_folder / ".accepted_licences.json").unlink()
    with pytest.raises(LicenceNotAcceptedError, match="Non-commercial"):
        tuned_models.import_tuned(services, archive)
    with pytest.raises(LicenceNotAcceptedError):
        submit_import(services, archive, "", accepted=False)
    assert submit_import(services, archive, "", accepted=True).title == "Import anna.zip"
