"""Conversations on fakes: two engines of different rates, crashes, lines made again, errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest

from modules.core_components.ai_models.engines.options import option
from modules.core_components.audio.files import read_speech
from modules.core_components.errors import BadInputError, JobCancelled, NotFoundError
from modules.core_components.library import ConversationLibrary
from modules.core_components.library.conversations import Conversation, Pauses
from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech, VoicePrompt
from modules.tools.conversation.cast import CastVoice
from modules.tools.conversation.conversation import (
    LINE_AGAIN,
    ConversationRequest,
    begin_conversation,
    delete_conversation,
    speak_conversation,
    speak_line_again,
    submit_conversation,
    submit_line,
)
from modules.tools.conversation.joining import export_conversation, join_conversation
from modules.tools.services import Services
from tests.helpers.fakes import SineEngine, SineOptions, add_noise, fake_entry

BELL = "bell-1"
SCRIPT = """\
Anna: (softly) Good morning, dear Ben. [pause:1s]
Ben: (loud) Good morning.
Ben: How are you today?

Anna: Very well.
Cleo: And so am I.
"""
CAST = {
    "Anna": CastVoice("high"),
    "Ben": CastVoice("bell", BELL),
    "Cleo": CastVoice("Cleo", kind="sample"),
}


@dataclass(frozen=True)
class BellOptions(SineOptions):
    instruct: str = option("", "Style", "How it is said.")


class BellEngine(SineEngine):
    """Rings each word, at a rate of its own and much softer; remembers how it was asked to."""

    model_id = BELL
    label = "Bell 1"
    sample_rate_hz = 24_000
    options_type = BellOptions
    can_clone = False

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []

    def voices(self) -> tuple[str, ...]:
        return ("bell",)

    def stream(
        self, text: str, voice: VoicePrompt | str, options: SineOptions, cancel: CancelToken
    ) -> Iterator[Speech]:
        assert isinstance(options, BellOptions)
        self.asked.append((text, options.instruct))
        for _ in text.split():
            times_s = np.arange(6000) / self.sample_rate_hz
            samples = 0.02 * np.sin(2 * np.pi * 700 * times_s) * np.exp(-3 * times_s)
            yield Speech(samples.astype(np.float32), self.sample_rate_hz)


@pytest.fixture
def bell(services: Services) -> BellEngine:
    """The second engine; a sample named Cleo is there as well."""
    engine = BellEngine()
    entry = fake_entry(BELL, "text-to-speech", ("stock-voices",))
    services.tts.register_engine(BELL, lambda entry, context: engine, entry)
    add_noise(services, "Cleo")
    return engine


def request(**changes: object) -> ConversationRequest:
    return replace(ConversationRequest(SCRIPT, CAST, seed=7), **changes)  # type: ignore[arg-type]


def spoken(services: Services, asked: ConversationRequest | None = None) -> Conversation:
    begun = begin_conversation(services, asked or request())
    return speak_conversation(services, begun.id)


@pytest.mark.usefixtures("bell")
def test_a_script_becomes_one_recording_with_subtitles(services: Services) -> None:
    made = spoken(services)
    assert made.is_complete
    whole = made.whole
    assert whole is not None
    joined = read_speech(made.file("wav"))
    assert joined.sample_rate_hz == whole.sample_rate_hz == 24_000
    assert joined.duration_s == pytest.approx(whole.duration_s, abs=1e-3)
    spans = list(whole.spans_s.values())
    gaps = [round(b[0] - a[1], 2) for a, b in pairwise(spans)]
    assert gaps == [1.5, 0.3, 0.5, 0.5]
    srt = made.file("srt").read_text(encoding="utf-8")
    assert srt.startswith("1\n00:00:00,000 --> ")
    assert "Anna: Good morning, dear Ben." in srt
    assert "pause" not in srt
    assert "<v Cleo>And so am I.</v>" in made.file("vtt").read_text(encoding="utf-8")
    assert services.takes.list() == ()


def test_engines_hear_the_styles_they_have_and_work_one_after_the_other(
    services: Services, bell: BellEngine
) -> None:
    told: list[str] = []
    begun = begin_conversation(services, request())
    speak_conversation(services, begun.id, lambda fraction, message: told.append(message))
    assert bell.asked == [("Good morning.", "loud"), ("How are you today?", "")]
    lines = list(dict.fromkeys(message for message in told if message.startswith("Line")))
    assert lines == [
        "Line 1 of 5: Anna",
        "Line 4 of 5: Anna",
        "Line 5 of 5: Cleo",
        "Line 2 of 5: Ben",
        "Line 3 of 5: Ben",
    ]


@pytest.mark.usefixtures("bell")
def test_everything_to_make_it_again_lies_beside_it(services: Services) -> None:
    made = spoken(services)
    takes = services.conversations.takes(made)
    for line in made.lines:
        take = takes.get(line.take)
        assert (take.text, take.seed) == (line.text, line.seed)
        assert take.model_id == made.member(line.speaker).engine
    assert len({line.seed for line in made.lines}) == 5
    cleo = made.member("Cleo")
    assert cleo.voice_key == services.samples.get("Cleo").audio_sha256
    assert spoken(services).id != made.id  # it was complete: this is another one
    first, second = services.conversations.list()
    assert first.whole == second.whole
    assert ConversationLibrary(services.conversations.folder).get(made.id) == made


@pytest.mark.usefixtures("bell")
def test_a_cancelled_run_goes_on_where_it_was(services: Services) -> None:
    begun = begin_conversation(services, request(seed=None))
    cancel = CancelToken()

    def stop_at_the_third(fraction: float, message: str) -> None:
        if message.startswith("Line 5"):
            cancel.cancel()

    with pytest.raises(JobCancelled):
        speak_conversation(services, begun.id, stop_at_the_third, cancel)
    half = services.conversations.get(begun.id)
    assert [line.id for line in half.lines if line.take] == ["0001", "0004"]
    with pytest.raises(BadInputError, match="3 of the 5 lines"):
        join_conversation(services, begun.id)
    again = begin_conversation(services, request(seed=None))
    assert again.id == begun.id
    whole = speak_conversation(services, begun.id)
    assert [line.take for line in whole.lines if line.id in ("0001", "0004")] == [
        line.take for line in half.lines if line.take
    ]
    assert whole.is_complete


@pytest.mark.usefixtures("bell")
def test_one_line_is_made_again(services: Services) -> None:
    made = spoken(services)
    changed = speak_line_again(services, made.id, "0003", "(sadly) How was the night then?", 99)
    line = changed.line("0003")
    assert (line.text, line.style, line.seed) == ("How was the night then?", "sadly", 99)
    assert [a.take == b.take for a, b in zip(made.lines, changed.lines, strict=True)] == [
        True,
        True,
        False,
        True,
        True,
    ]
    assert changed.is_complete
    assert changed.whole != made.whole
    assert "How was the night then?" in changed.file("srt").read_text(encoding="utf-8")
    assert len(services.conversations.takes(made).trash.ids()) == 1
    same = speak_line_again(services, made.id, "0001", None, made.lines[0].seed)
    takes = services.conversations.takes(made)
    first = [take for take in takes.list() if take.text == made.lines[0].text]
    assert [take.id for take in first] == [same.lines[0].take]
    other = speak_line_again(services, made.id, "0001")
    assert other.lines[0].seed != made.lines[0].seed


@pytest.mark.usefixtures("bell")
def test_jobs_speak_and_make_lines_again(services: Services) -> None:
    job = services.jobs.wait(submit_conversation(services, request()).id, 30.0)
    assert job.state == "done", job.error
    conversation_id = (job.result or {})["conversation"]
    again = submit_line(services, conversation_id, "0002", "(calm) Hello.", None)
    assert again.payload["text"] == "(calm) Hello."
    done = services.jobs.wait(again.id, 30.0)
    assert (done.kind, done.state) == (LINE_AGAIN, "done"), done.error
    assert services.conversations.get(conversation_id).line("0002").style == "calm"
    with pytest.raises(BadInputError, match="no text"):
        submit_line(services, conversation_id, "0002", " ", None)
    assert delete_conversation(services, conversation_id)
    assert services.conversations.list() == ()


@pytest.mark.usefixtures("bell")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"script": " "}, "nothing to speak"),
        ({"script": "Anna: " + "word " * 50_000}, "limit is 200,000"),
        ({"cast": {"Anna": CAST["Anna"], "Ben": CAST["Ben"]}}, "No voice is chosen for Cleo"),
        ({"cast": {**CAST, "Dora": CAST["Anna"]}}, "no speaker named Dora"),
        ({"cast": {**CAST, "Anna": CastVoice("hihg")}}, "Anna: Sine 1 has no voice 'hihg'"),
        ({"cast": {**CAST, "Ben": CastVoice("Cleo", BELL, "sample")}}, "cannot clone"),
        ({"cast": {**CAST, "Anna": CastVoice("high", language="xx")}}, "does not speak 'xx'"),
        ({"cast": {**CAST, "Anna": CastVoice("high", options={"speed": 9})}}, "Speed is 9"),
        ({"cast": {**CAST, "Anna": CastVoice(" ")}}, "Anna: No voice is chosen"),
        ({"script": f"{SCRIPT}\nAnna: [pause:x] yes"}, "Line 8, Anna: .* names no time"),
        ({"pauses": Pauses(speakers_s=11.0)}, "11 seconds"),
    ],
)
def test_what_cannot_be_spoken_is_refused_before_anything_is(
    services: Services, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(BadInputError, match=message) as raised:
        begin_conversation(services, request(**changes))
    assert raised.value.hint
    assert services.conversations.list() == ()


@pytest.mark.usefixtures("bell")
def test_a_voice_that_is_gone_or_another_costs_no_line(services: Services) -> None:
    made = spoken(services)
    services.samples.delete("Cleo")
    with pytest.raises(NotFoundError, match="Cleo"):
        speak_line_again(services, made.id, "0005")
    other = add_noise(services, "Other")
    services.samples.update("Other", new_name="Cleo")
    assert other.audio_sha256 != made.member("Cleo").voice_key
    with pytest.raises(BadInputError, match="now a different recording"):
        speak_line_again(services, made.id, "0005")
    assert services.conversations.get(made.id) == made


def test_a_script_of_fifty_thousand_characters_is_spoken_in_parts(services: Services) -> None:
    line = "Anna: " + "a" * 44 + "\n"
    script = line * 1000
    begun = begin_conversation(services, ConversationRequest(script, {"anna": CastVoice("high")}))
    assert len(begun.lines) == 1000
    assert begun.made == 0


@pytest.mark.usefixtures("bell")
def test_damaged_records_are_left_out_and_deleted_ones_come_back(services: Services) -> None:
    library = services.conversations
    first, second = spoken(services), spoken(services)
    (second.folder / "conversation.json").write_text("{", encoding="utf-8")
    assert library.list() == (first,)
    trash_id = library.delete(first.id)
    assert library.list() == ()
    assert library.restore(trash_id).lines == first.lines
    with pytest.raises(NotFoundError):
        library.get(f"../conversations/{second.id}")


@pytest.mark.usefixtures("bell")
def test_it_is_handed_out_in_every_format(services: Services) -> None:
    made = spoken(services)
    for fmt in ("wav", "flac", "srt", "vtt"):
        assert export_conversation(services, made.id, fmt).suffix == f".{fmt}"
    with pytest.raises(BadInputError, match="ogg"):
        export_conversation(services, made.id, "ogg")
    record = json.loads((made.folder / "conversation.json").read_text(encoding="utf-8"))
    assert record["script"] == made.script
