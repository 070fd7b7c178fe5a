"""Each speaker encoder's figures are read on its own scale; those that name none are GE2E's."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from modules.core_components.ai_models import ASRManager
from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.library.evaluation import JudgedCheckpoint, propose
from modules.core_components.settings import load_settings
from modules.core_components.speaker_scale import SPEAKER_ENCODERS, SPEAKER_SCALES
from modules.core_components.values import Scores
from modules.tools.speaking.scores import explain_similarity, likeness_share


def test_the_same_cosine_is_another_voice_by_one_and_the_same_by_another() -> None:
    old = Scores(similarity=0.7, similarity_self=0.9)
    new = dataclasses.replace(old, speaker_encoder="campplus", similarity_self=0.85)
    assert "some likeness" in explain_similarity(old)
    assert "GE2E another speaker reaches about 0.55" in explain_similarity(old)
    assert "close" in explain_similarity(new)
    assert "CAM++ another speaker reaches about 0.25" in explain_similarity(new)
    assert likeness_share(new) > likeness_share(old)


@pytest.mark.parametrize("scale", SPEAKER_SCALES.values(), ids=list(SPEAKER_SCALES))
def test_the_lines_of_a_scale_are_in_order(scale: object) -> None:
    figures = dataclasses.asdict(scale)  # type: ignore[call-overload]
    order = [figures[name] for name in ("other", "stranger", "same_speaker", "same_group", "own")]
    assert order == sorted(order)


@pytest.mark.parametrize(("encoder", "chosen"), [("ge2e", "20"), ("campplus", "10")])
def test_what_counts_as_equal_depends_on_the_encoder(encoder: str, chosen: str) -> None:
    def row(name: str, likeness: float, loss: float | None) -> JudgedCheckpoint:
        return JudgedCheckpoint(name, 0.0, likeness, 0.9, None, loss, ())

    rows = [row("base", 0.4, None), row("10", 0.70, 2.0), row("20", 0.71, 2.5)]
    assert propose(rows, encoder)[0] == chosen


def test_ge2e_stands_in_until_campplus_is_installed(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"device": "cpu", "models_folder": str(tmp_path / "models")})
    pool = ModelPool({"cpu": 2**30})
    manager = ASRManager(settings, pool)
    assert manager.get_speaker_encoder().model_id == "campplus"  # its call says what is missing
    catalog: Catalog = manager.catalog
    for model_id in reversed(SPEAKER_ENCODERS):
        entry = catalog.entry(model_id)
        folder = catalog.folder(entry)
        folder.mkdir(parents=True)
        (folder / entry.files[0].name).write_bytes(b"x")
        # Only the size is looked at here; the content is checked when the model is loaded.
        (folder / entry.files[0].name).open("r+b").truncate(entry.files[0].bytes)
        assert manager.get_speaker_encoder().model_id == model_id
    pool.close()
