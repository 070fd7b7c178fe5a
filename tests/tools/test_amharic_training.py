"""Fine-tuning in Amharic both ways, from preflight to the published model that speaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.core_components import atomic
from modules.core_components.ai_models import reset_managers
from modules.core_components.ai_models.engines.xtts.checkpoint import read_json, read_vocabulary
from modules.core_components.ai_models.engines.xtts.engine import REFERENCE_VOICE, XttsEngine
from modules.core_components.ai_models.engines.xtts.options import XttsOptions
from modules.core_components.ai_models.engines.xtts.preflight import data
from modules.core_components.ai_models.engines.xtts.preflight.data import load_tokenizer
from modules.core_components.ai_models.engines.xtts.text_form import (
    NEW_TOKENS,
    TRANSLITERATION,
    read_front_end,
)
from modules.core_components.ai_models.engines.xtts.training.child import train
from modules.core_components.ai_models.engines.xtts.training.trainee import StopRequests
from modules.core_components.ai_models.engines.xtts.tuned import check_tuned, entry_of, factory_of
from modules.core_components.errors import BadInputError
from modules.core_components.library.training_events import EVAL, NOTE, read_events
from modules.core_components.library.training_runs import KeptCheckpoint, TrainingRun
from modules.core_components.library.tuned_models import CARD, TunedModel
from modules.core_components.progress import CancelToken
from modules.core_components.text.amharic.backends import RULES
from modules.core_components.text.amharic.front_end import AmharicFrontEnd
from modules.tools.services import Services
from modules.tools.training import evaluation
from modules.tools.training.evaluation import judge_run
from modules.tools.training.preflight import OK, TEXTS, WARN, TrainingRequest, preflight
from modules.tools.training.publish import publish, readme
from modules.tools.training.training import _setup_of, new_run
from tests.helpers.xtts_studio import BASE, add_dataset, open_xtts_studio

SENTENCES = (
    "ሰላም ዓለም። እንዴት ነህ?",
    "በ2016 ዓ.ም. 25 ሰዎች መጡ፡፡",
    "የአማርኛ ቋንቋ በኢትዮጵያ ይነገራል።",
    "ዛሬ ጥሩ ቀን ነው፣ ፀሐይ ወጥታለች።",
)
PLAN = {"epochs": 2, "batch_size": 4, "learning_rate": 0.002, "keep_checkpoints": 1, "workers": 0}


@dataclass(frozen=True)
class Trained:
    way: str
    services: Services
    run: TrainingRun
    model: TunedModel

    def engine(self) -> XttsEngine:
        entry = entry_of(self.model, self.services.catalog.entry(BASE).licence)
        return factory_of(self.model.folder)(entry, self.services.tts.context)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, tiny_xtts: Path) -> Iterator[Services]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        services = open_xtts_studio(tmp_path_factory.mktemp("studio"), tiny_xtts, monkeypatch)
        # A few seconds of speech are enough here.
        monkeypatch.setattr(data, "LEAST_S", 1.0)
        add_dataset(services, "Almaz", 6, 1.0, 2, SENTENCES, "am")
        yield services
        services.close()
        reset_managers()


def request(way: str, name: str = "", **options: object) -> TrainingRequest:
    return TrainingRequest(
        name or way, "Almaz", BASE, {**PLAN, "max_clip_s": 6.0, "new_language": way, **options}
    )


@pytest.fixture(scope="module", params=[TRANSLITERATION, NEW_TOKENS])
def trained(request: pytest.FixtureRequest, studio: Services) -> Trained:
    way = request.param
    run = new_run(studio, globals()["request"](way))
    requests = StopRequests(run.files.stop, run.files.stop_after_epoch)
    assert train(run.files, _setup_of(studio, run), requests) == "done"
    best = studio.training_runs.checkpoints(run.name)[0]
    model = publish(studio, run.name, str(best.step), f"Almaz {way}")
    return Trained(way, studio, run, model)


@pytest.mark.parametrize("way", [TRANSLITERATION, NEW_TOKENS])
def test_preflight_says_in_what_form_the_texts_go(studio: Services, way: str) -> None:
    found = preflight(studio, request(way, "looked"))
    assert not found.stops
    assert found.kept_rows == 4
    (texts,) = [check for check in found.checks if check.name == TEXTS]
    assert texts.level == OK
    assert "Long consonants are not written" in texts.message
    assert ("Latin letters" in texts.message) == (way == TRANSLITERATION)
    grown = [check for check in found.checks if check.name == "New tokens"]
    assert [check.level for check in grown] == ([] if way == TRANSLITERATION else [WARN])


def test_preflight_names_what_is_not_said_and_rows_in_another_script(studio: Services) -> None:
    clips = studio.datasets.get("Almaz").clips
    changed = [replace(clips[0], text="ሰላም 😀 ዓለም"), replace(clips[1], text="selam new")]
    studio.datasets.update_clips("Almaz", changed, "said")
    try:
        found = preflight(studio, request(TRANSLITERATION, "looked"))
    finally:
        studio.datasets.update_clips("Almaz", clips[:2], "said")
    (texts,) = [check for check in found.checks if check.name == TEXTS]
    assert texts.level == WARN
    assert "GRINNING FACE" in texts.message
    (row,) = found.rows
    assert "not in Ethiopic script" in row.reason


def test_the_loss_falls_and_no_clip_is_left_out(trained: Trained) -> None:
    events = read_events(trained.run.files.progress)
    losses = [event["loss"] for event in events if event["kind"] == EVAL]
    assert len(losses) > 1
    assert losses[-1] < losses[0]
    assert not [event for event in events if event["kind"] == NOTE]


def test_the_published_model_speaks_with_the_front_end_of_its_training(trained: Trained) -> None:
    check_tuned(trained.model.folder)
    front_end = read_front_end(trained.model.folder)
    assert front_end is not None
    assert trained.model.card["text_frontend"] == dict(front_end.record)
    assert "amharic 1" in readme(trained.model.card)
    engine = trained.engine()
    assert engine.languages[0] == "am"
    note = entry_of(trained.model, trained.services.catalog.entry(BASE).licence).note
    assert ("by rules 1" in note) == (trained.way == TRANSLITERATION)
    # One piece is enough: a model of random numbers need not come to an end.
    piece = next(engine.stream(SENTENCES[1], REFERENCE_VOICE, XttsOptions("am"), CancelToken()))
    assert len(piece.samples)
    assert np.isfinite(piece.samples).all()
    with trained.services.tts.pool.lease(engine.model_spec(), CancelToken(), "test") as network:
        spoken = network.tokens(SENTENCES[1], "am")
        token = network.model.tokenizer.tokenizer.id_to_token(spoken[0])
    assert token == ("[tr]" if trained.way == TRANSLITERATION else "[am]")
    # The tokens of the training.
    setup = _setup_of(trained.services, trained.run)
    in_training = load_tokenizer(setup.vocabulary, AmharicFrontEnd.from_record(setup.front_end))
    assert in_training.encode(SENTENCES[1], "am") == spoken
    # The other languages are still there.
    assert next(engine.stream("Hello.", REFERENCE_VOICE, XttsOptions("en"), CancelToken()))


def test_new_tokens_are_in_the_published_vocabulary_only_where_they_were_made(
    trained: Trained,
) -> None:
    vocabulary = read_vocabulary(trained.model.folder / "vocab.json")
    assert ("[am]" in vocabulary) == (trained.way == NEW_TOKENS)
    assert ("ሰ" in vocabulary) == (trained.way == NEW_TOKENS)


@pytest.mark.parametrize("text", ["selam alem", "səlam", "ሰላም 漢字"])
def test_a_text_written_another_way_is_refused_before_anything_is_spoken(
    trained: Trained, text: str
) -> None:
    with pytest.raises(BadInputError, match=r"Ethiopic|no sound for 漢"):
        trained.engine().stream(text, REFERENCE_VOICE, XttsOptions("am"), CancelToken())


def test_a_model_of_another_version_or_backend_is_refused(trained: Trained) -> None:
    card = read_json(trained.model.folder / CARD)
    try:
        for change in ({"version": 99}, {"way": "latin", "backend": "no such"}):
            record = {**card["text_frontend"], **change}
            atomic.write_json(trained.model.folder / CARD, {**card, "text_frontend": record})
            with pytest.raises(BadInputError, match=r"version|not installed"):
                trained.engine().stream("ሰላም", REFERENCE_VOICE, XttsOptions("am"), CancelToken())
    finally:
        atomic.write_json(trained.model.folder / CARD, card)


def test_an_evaluation_speaks_with_the_front_end_of_the_run(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, services = trained.run, trained.services
    heard = []

    def hear(services: Services, run: TrainingRun, kept: KeptCheckpoint, *rest: Any) -> Any:
        with evaluation._speaker(services, run, kept) as engine:
            pieces = engine.stream(SENTENCES[0], "Damien Black", XttsOptions("am"), CancelToken())
            piece = next(pieces)
            heard.append((kept.step, len(piece.samples) > 0))
        return evaluation.judged(str(kept.step), [], None, kept.eval_loss)

    monkeypatch.setattr(evaluation, "_judge", hear)
    judge_run(services, run.name)
    # The base does not have the language, so it is not among them.
    kept = services.training_runs.checkpoints(run.name)
    assert heard == [(one.step, True) for one in kept]


def test_the_base_does_not_offer_amharic(studio: Services) -> None:
    engine = studio.tts.get(BASE)
    assert "am" not in engine.languages
    with pytest.raises(BadInputError, match="does not speak"):
        engine.stream("ሰላም", "Damien Black", XttsOptions("am"), CancelToken())


def test_a_run_keeps_its_backend_and_vocabulary(trained: Trained) -> None:
    record = read_json(trained.run.files.text_form)
    assert record == dict(trained.model.card["text_frontend"])
    assert trained.run.files.vocabulary.is_file() == (trained.way == NEW_TOKENS)
    if trained.way == TRANSLITERATION:
        assert record["backend"] == RULES
