"""Conversations in one go: on a fake engine for the logic, on a tiny VibeVoice for the real one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modules.core_components.ai_models import reset_managers
from modules.core_components.audio.files import read_speech
from modules.core_components.errors import (
    BadInputError,
    JobCancelled,
    ModelMissingError,
    NotFoundError,
    StudioError,
)
from modules.core_components.library.conversations import Conversation
from modules.core_components.progress import CancelToken
from modules.tools.conversation.cast import CastVoice
from modules.tools.conversation.conversation import (
    ConversationRequest,
    begin_conversation,
    speak_conversation,
    speak_line_again,
    submit_conversation,
    submit_line,
)
from modules.tools.services import Services, open_services
from tests.helpers.fakes import DUET, SINE, DuetEngine, add_duet, add_noise
from tests.helpers.tiny_vibevoice import install_tiny

SCRIPT = """\
Anna: (softly) Good morning, dear [Ben](/b/). [pause:1s]
Ben: Good morning.
(They sit down.)
Ben: How are you today?
Anna: Very well.
"""
CAST = {"Anna": CastVoice("Anna"), "Ben": CastVoice("Ben")}


@pytest.fixture
def duet(services: Services) -> DuetEngine:
    add_noise(services, "Anna")
    add_noise(services, "Ben")
    return add_duet(services)


def request(**changes: Any) -> ConversationRequest:
    return replace(ConversationRequest(SCRIPT, CAST, seed=7, in_one_go=True), **changes)


def spoken(services: Services, **changes: Any) -> Conversation:
    return speak_conversation(services, begin_conversation(services, request(**changes)).id)


def test_a_script_is_spoken_part_by_part_and_joined(services: Services, duet: DuetEngine) -> None:
    told: list[str] = []
    begun = begin_conversation(services, request())
    made = speak_conversation(services, begun.id, lambda _, message: told.append(message))
    assert duet.asked == [
        ((0, "Good morning, dear Ben."),),
        ((0, "Good morning."), (0, "How are you today?"), (1, "Very well.")),
    ]
    assert list(dict.fromkeys(told)) == [
        "Part 1 of 2: Anna", "Part 2 of 2: Ben, Anna", "Joining the lines", "Done",
    ]  # fmt: skip
    assert made.in_one_go
    assert made.whole is not None
    (_, end), (start, _) = made.whole.spans_s.values()
    assert start - end == pytest.approx(1.5, abs=0.002)  # as between speakers, and one second
    assert read_speech(made.file("wav")).duration_s == pytest.approx(
        made.whole.duration_s, abs=1e-3
    )


@pytest.mark.usefixtures("duet")
def test_subtitles_have_one_cue_a_part_and_no_invented_times(services: Services) -> None:
    made = spoken(services, script=SCRIPT + "Anna: " + "And so on and on. " * 20)
    assert made.whole is not None
    srt = made.file("srt").read_text(encoding="utf-8")
    assert len(re.findall("-->", srt)) == len(made.lines) == 2
    assert "\nBen: Good morning.\nBen: How are you today?\nAnna: Very well.\n" in srt
    assert "pause" not in srt
    assert "\nAnna: Good morning, dear Ben.\n" in made.file("vtt").read_text(encoding="utf-8")


@pytest.mark.usefixtures("duet")
def test_everything_to_make_it_again_lies_beside_it(services: Services) -> None:
    made = spoken(services)
    hashes = {name: services.samples.get(name).audio_sha256 for name in ("Anna", "Ben")}
    assert {member.speaker: member.voice_key for member in made.cast} == hashes
    first, second = (services.conversations.takes(made).get(line.take) for line in made.lines)
    assert (first.kind, first.voice, first.seed) == ("script", "Anna", 7)
    assert (second.kind, second.voice, second.model_id) == ("script", "Ben, Anna", DUET)
    assert second.speaker_samples == hashes
    assert second.options["speed"] == 1.0
    again = spoken(services)
    assert again.id != made.id
    assert again.whole == made.whole
    assert spoken(services, seed=8).whole != made.whole


def test_a_cancelled_run_loses_one_part(services: Services, duet: DuetEngine) -> None:
    begun = begin_conversation(services, request(seed=None))
    cancel = CancelToken()

    def stop_in_the_second(fraction: float, message: str) -> None:
        if message.startswith("Part 2") and duet.asked[1:]:
            cancel.cancel()

    with pytest.raises(JobCancelled):
        speak_conversation(services, begun.id, stop_in_the_second, cancel)
    half = services.conversations.get(begun.id)
    assert [bool(line.take) for line in half.lines] == [True, False]
    assert begin_conversation(services, request(seed=None)).id == begun.id
    whole = speak_conversation(services, begun.id)
    assert whole.is_complete
    assert whole.lines[0] == half.lines[0]


@pytest.mark.usefixtures("duet")
def test_a_part_is_made_again_as_a_whole(services: Services) -> None:
    job = services.jobs.wait(submit_conversation(services, request()).id, 30.0)
    assert job.state == "done", job.error
    made = services.conversations.get((job.result or {})["conversation"])
    again = submit_line(services, made.id, "0002", "ben: Hello.\nAnna: Hello Ben.", None)
    assert again.title == "Part 2 again: Ben, Anna"
    done = services.jobs.wait(again.id, 30.0)
    assert done.state == "done", done.error
    changed = services.conversations.get(made.id)
    assert changed.is_complete
    assert changed.lines[0] == made.lines[0]
    assert changed.lines[1].text == "Ben: Hello.\nAnna: Hello Ben."
    assert "Anna: Hello Ben." in changed.file("srt").read_text(encoding="utf-8")


@pytest.mark.usefixtures("duet")
def test_only_what_fits_a_part_takes_its_place(services: Services) -> None:
    made = spoken(services)
    with pytest.raises(NotFoundError, match="Cleo"):
        speak_line_again(services, made.id, "0002", "Cleo: Hello.")
    with pytest.raises(BadInputError, match="silence only before and after"):
        speak_line_again(services, made.id, "0002", "Anna: Hello [pause:1s] Ben.")
    services.samples.delete("Ben")
    with pytest.raises(NotFoundError, match="Ben"):
        speak_line_again(services, made.id, "0002")
    assert services.conversations.get(made.id) == made


FIVE = ("Anna", "Ben", "Cleo", "Dora", "Emil")


@pytest.mark.usefixtures("duet")
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {
                "script": "\n".join(f"{name}: Yes." for name in FIVE),
                "cast": {name: CastVoice("Anna") for name in FIVE},
            },
            BadInputError,
            "5 speakers; Duet 1 takes 4",
        ),
        ({"cast": {"Anna": CAST["Anna"]}}, BadInputError, "No voice is chosen for Ben"),
        ({"cast": {**CAST, "Ben": CastVoice("")}}, BadInputError, "Ben: No voice"),
        ({"cast": {**CAST, "Ben": CastVoice("high")}}, NotFoundError, "Ben: .*'high'"),
        ({"cast": {**CAST, "Ben": CastVoice("high", kind="preset")}}, BadInputError, "stock"),
        ({"cast": {**CAST, "Ben": CastVoice("Ben", SINE)}}, BadInputError, "Sine 1 cannot"),
        (
            {"cast": {"Anna": CastVoice("Anna", DUET), "Ben": CastVoice("Ben", SINE)}},
            BadInputError,
            "all speak with one engine",
        ),
        ({"cast": {**CAST, "Ben": CastVoice("Ben", language="it")}}, BadInputError, "differ"),
        (
            {"cast": {name: CastVoice(name, options={"speed": 9}) for name in CAST}},
            BadInputError,
            "Speed is 9",
        ),
        ({"script": "Anna: [speed:2] Yes.\nBen: No."}, BadInputError, "one speed"),
        ({"script": "Anna: " + "word " * 50_000}, BadInputError, "limit is 200,000"),
        (
            {"cast": {name: CastVoice(name, "vibevoice-1.5b") for name in CAST}},
            ModelMissingError,
            "VibeVoice 1.5B is not installed",
        ),
    ],
)
def test_what_cannot_be_spoken_is_refused_before_anything_is(
    services: Services, changes: dict[str, Any], error: type[StudioError], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        begin_conversation(services, request(**changes))
    assert raised.value.hint
    assert services.conversations.list() == ()


def test_without_a_model_that_can_it_is_said_where_to_get_one(services: Services) -> None:
    with pytest.raises(ModelMissingError, match="in one go") as raised:
        begin_conversation(services, request())
    assert "VibeVoice" in raised.value.hint


@pytest.mark.usefixtures("duet")
def test_fifty_thousand_characters_become_parts(services: Services) -> None:
    begun = begin_conversation(services, request(script=("Anna: " + "word " * 9 + "\n") * 1_000,
                                                 cast={"Anna": CAST["Anna"]}))  # fmt: skip
    assert len(begun.lines) == 23
    assert all(len(line.text) < 3_000 for line in begun.lines)


@pytest.fixture
def real(tiny_vibevoice: Path, tmp_path: Path) -> Iterator[Services]:
    """A studio whose only model is a tiny VibeVoice."""
    install_tiny(tiny_vibevoice, tmp_path / "models", "vibevoice-1.5b")
    services = open_services(tmp_path, {"models_folder": str(tmp_path / "models")})
    add_noise(services, "Anna")
    add_noise(services, "Ben")
    yield services
    services.close()
    reset_managers()


def test_vibevoice_has_two_samples_talk_to_each_other(real: Services) -> None:
    cast = {name: CastVoice(name, options={"diffusion_steps": 2}) for name in CAST}
    asked = request(script="Anna: Good morning.\nBen: And to you.", cast=cast)
    made = speak_conversation(real, begin_conversation(real, asked).id)
    take = real.conversations.takes(made).get(made.lines[0].take)
    assert take.model_id == "vibevoice-1.5b"
    assert set(take.speaker_samples) == {"Anna", "Ben"}
    assert take.options["diffusion_steps"] == 2
    assert made.whole is not None
    assert made.whole.duration_s > 0.1
    assert "Ben: And to you." in made.file("srt").read_text(encoding="utf-8")
    other = replace(asked, cast={**cast, "Ben": replace(cast["Ben"], voice="Anna")})
    again = speak_conversation(real, begin_conversation(real, asked).id)
    changed = speak_conversation(real, begin_conversation(real, other).id)
    assert again.whole == made.whole
    assert changed.whole != made.whole  # so Ben's sample is heard
