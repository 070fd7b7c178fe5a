"""Every voice in one list, what can be done with each, and the sheet of one."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from modules.core_components.ai_models.engines.kokoro.voices import pack_bytes
from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.values import Consent, Sample
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import speak
from modules.tools.voices import voice_cards
from modules.tools.voices.design import DESIGNED as DESIGNED_CONSENT
from modules.tools.voices.preparation import prepare_later
from modules.tools.voices.voice_cards import (
    DESIGNED,
    MIXED,
    NO_CONSENT,
    NO_MODEL,
    READY,
    SAMPLE,
    STOCK,
    TRAINED,
    UNPREPARED,
    VoiceCard,
    find_card,
    list_cards,
)
from modules.tools.voices.voice_sheet import describe_voice, packed_voice
from tests.helpers.fakes import SINE, add_noise

TUNED = Path(__file__).parents[1] / "data/root_2026_11/finetune_models/Anna_in_Italian"
SOON_S = 10.0


@pytest.fixture
def every(services: Services) -> Services:
    """One voice of each kind, and two stock voices."""
    add_noise(services, "Anna")
    add_designed(services)
    add_mix(services)
    shutil.copytree(TUNED, services.settings.finetune_folder / TUNED.name)
    return services


def add_designed(services: Services) -> Sample:
    noise = add_noise(services, "Sailor")
    design = {"description": "An old sailor.", "model": SINE, "seed": 7}
    sample = dataclasses.replace(
        noise, consent=DESIGNED_CONSENT, info={"synthetic": True, "design": design}
    )
    return services.samples._written(sample)


def add_mix(services: Services) -> None:
    pack = np.zeros((510, 1, 256), np.float32)
    services.voices.add("Bright", pack_bytes(pack), "kokoro-v1.0", "en-us", "high(2)+low(1)")


def by_kind(services: Services) -> dict[str, VoiceCard]:
    return {card.kind: card for card in list_cards(services)}


def test_every_kind_of_voice_is_listed_with_what_it_speaks_with(every: Services) -> None:
    cards = list_cards(every)
    assert sorted(card.kind for card in cards) == sorted(
        [SAMPLE, DESIGNED, MIXED, TRAINED, STOCK, STOCK]
    )
    assert [card.kind for card in cards[-2:]] == [STOCK, STOCK], "the user's own come first"
    found = by_kind(every)
    assert found[SAMPLE].model_id == SINE
    assert found[DESIGNED].about == "An old sailor."
    assert found[MIXED].about == "high(2)+low(1)"
    assert found[TRAINED].language == "it"
    assert len({card.key for card in cards}) == len(cards)


def test_a_card_says_what_keeps_a_voice_from_speaking(every: Services) -> None:
    assert find_card(every, "sample:Anna").state == UNPREPARED
    job = prepare_later(every, "Anna")
    assert job is not None
    every.jobs.wait(job.id, SOON_S)
    assert find_card(every, "sample:Anna").state == READY
    every.samples.update("Anna", consent=Consent("Anna", False))
    assert find_card(every, "sample:Anna").state == NO_CONSENT
    mix = by_kind(every)[MIXED]
    assert (mix.state, mix.has_sound, mix.formats) == (NO_MODEL, False, ())
    assert by_kind(every)[STOCK].state == READY


def test_each_kind_is_renamed_under_the_same_key(every: Services) -> None:
    for kind in (SAMPLE, DESIGNED, MIXED, TRAINED):
        card = by_kind(every)[kind]
        voice_cards.mark_favourite(every, card.key, True)
        renamed = voice_cards.rename(every, card.key, f"A new {kind} name")
        assert renamed.key == card.key
        assert renamed.name == f"A new {kind} name"
        assert renamed.is_favourite
    assert every.voices.get("Bright").label == "A new mixed name", "mixes go on calling it Bright"


@pytest.mark.parametrize("name", ["", "   "])
def test_no_voice_loses_its_name(every: Services, name: str) -> None:
    for kind in (SAMPLE, MIXED, TRAINED):
        with pytest.raises(BadInputError, match="no name"):
            voice_cards.rename(every, by_kind(every)[kind].key, name)


def test_a_stock_voice_stays_as_it_is(every: Services) -> None:
    card = by_kind(every)[STOCK]
    assert card.fixed
    with pytest.raises(BadInputError, match="cannot be renamed"):
        voice_cards.rename(every, card.key, "Mine")
    with pytest.raises(BadInputError, match="cannot be deleted"):
        voice_cards.delete(every, card.key)
    with pytest.raises(BadInputError, match="cannot be exported"):
        voice_cards.export(every, card.key, ".pt")


def test_each_kind_is_deleted_and_brought_back(every: Services) -> None:
    for kind in (SAMPLE, DESIGNED, MIXED, TRAINED):
        card = by_kind(every)[kind]
        trash_id = voice_cards.delete(every, card.key)
        with pytest.raises(NotFoundError):
            find_card(every, card.key)
        voice_cards.restore(every, trash_id)
        assert find_card(every, card.key) == card


def test_two_mixes_have_no_name_in_common(every: Services) -> None:
    every.voices.add("Dark", b"", "kokoro-v1.0")
    with pytest.raises(BadInputError, match="already is"):
        every.voices.rename("Dark", "bright")
    assert every.voices.rename("Bright", "bright").label == "bright", "its own name is its own"


def test_favourites_come_first_and_survive_a_damaged_file(every: Services) -> None:
    stock = by_kind(every)[STOCK]
    voice_cards.mark_favourite(every, stock.key, True)
    assert list_cards(every)[0].key == stock.key
    with pytest.raises(NotFoundError):
        voice_cards.mark_favourite(every, "sample:Nobody", True)
    (every.settings.root / "favourite_voices.json").write_text("{")
    assert not any(card.is_favourite for card in list_cards(every))
    voice_cards.mark_favourite(every, stock.key, True)
    voice_cards.mark_favourite(every, stock.key, False)
    assert every.favourites.keys() == frozenset()


def test_a_voice_is_heard_by_its_recording_or_its_preview(every: Services) -> None:
    cards = by_kind(every)
    assert voice_cards.sound_of(every, cards[SAMPLE].key).name == "Anna.wav"
    assert voice_cards.sound_of(every, cards[TRAINED].key).name == "reference.wav"
    with pytest.raises(NotFoundError):
        voice_cards.sound_of(every, cards[TRAINED].key, 9)
    preview = voice_cards.sound_of(every, cards[STOCK].key)
    assert preview.parent == every.previews_folder
    assert voice_cards.sound_of(every, cards[STOCK].key) == preview
    assert len(every.jobs.list(kind="preview_voice")) == 1, "the second time it is there"


def test_the_sheet_of_a_sample_has_all_that_is_known(every: Services) -> None:
    every.samples.update("Anna", ref_text="Good morning.", language="en-us")
    take = speak(every, SpeechRequest("Some words", "Anna"))
    about = take.path.with_suffix(".json")
    about.write_text(json.dumps({**json.loads(about.read_text()), "scores": {"similarity": 0.5}}))
    sheet = describe_voice(every, "sample:Anna")
    assert sheet.words == "Good morning."
    assert sheet.consent is not None
    assert (sheet.consent.speaker, sheet.consent.agreed) == ("Anna", True)
    (recording,) = sheet.recordings
    assert recording.duration_s == pytest.approx(3.0)
    assert sheet.size_bytes >= recording.size_bytes > 90_000
    assert sheet.takes == 1
    assert sheet.likeness == {"Of one take": "0.50 at best, 0.50 on average"}
    assert sheet.engines[0].state == "prepared"
    assert sheet.engines[0].is_here
    assert not any(one.is_here for one in sheet.engines[1:]), "others after a download"


def test_the_sheets_of_other_kinds_say_where_they_came_from(every: Services) -> None:
    cards = by_kind(every)
    assert describe_voice(every, cards[DESIGNED].key).origin["Description"] == "An old sailor."
    assert describe_voice(every, cards[MIXED].key).origin["Made from"] == "high(2)+low(1)"
    stock = describe_voice(every, cards[STOCK].key)
    assert stock.size_bytes == 0
    assert stock.origin["Licence of the model"] == "MIT"
    trained = describe_voice(every, cards[TRAINED].key)
    assert trained.recordings[0].name == "reference.wav"
    assert trained.packed is None
    with pytest.raises(NotFoundError, match="not exported"):
        packed_voice(every, cards[TRAINED].key)
    with pytest.raises(NotFoundError):
        describe_voice(every, "sample:../../etc/passwd")


def test_a_sample_is_exported_as_its_recording(every: Services) -> None:
    assert voice_cards.export(every, "sample:Anna", ".wav").name == "Anna.wav"
    with pytest.raises(BadInputError):
        voice_cards.export(every, "sample:Anna", ".exe")
