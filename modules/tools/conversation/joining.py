"""The lines of a conversation as one recording, with subtitles that name the speakers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from modules.core_components import atomic
from modules.core_components.audio.files import audio_sha256, read_speech, write_speech
from modules.core_components.audio.joining import Joined, Part, join_parts
from modules.core_components.errors import BadInputError
from modules.core_components.library.conversations import Conversation, Line, Whole
from modules.core_components.text.markup import plain_words
from modules.core_components.text.script import edge_pauses, parse_script
from modules.core_components.text.subtitles import Cue, render, srt_of, vtt_of
from modules.core_components.texts import _
from modules.core_components.values import Segment, Transcript, Word
from modules.tools.services import Services

AUDIO_FORMATS = ("wav", "flac", "mp3")
SUBTITLES = ("srt", "vtt")
EXPORT_FORMATS = (*AUDIO_FORMATS, *SUBTITLES)


def join_conversation(services: Services, conversation_id: str) -> Conversation:
    """Writes `<id>.wav`, `.srt` and `.vtt` from the lines as they are now.

    Raises BadInputError while lines are missing, and DiskFullError.
    """
    library = services.conversations
    conversation = library.get(conversation_id)
    missing = len(conversation.lines) - conversation.made
    if missing:
        raise BadInputError(
            _(
                "{missing} of the {count} lines are not spoken yet.",
                missing=missing,
                count=len(conversation.lines),
            ),
            _("Speak the rest of the conversation first."),
        )
    joined = join_parts(list(_parts(services, conversation)))
    write_speech(conversation.file("wav"), joined.speech)
    for fmt, text in _subtitles(services, conversation, joined).items():
        atomic.write_bytes(conversation.file(fmt), text.encode("utf-8"))
    spans_s = {
        line.id: (round(start, 3), round(end, 3))
        for line, (start, end) in zip(conversation.lines, joined.spans_s, strict=True)
    }
    whole = Whole(
        duration_s=joined.speech.duration_s,
        sample_rate_hz=joined.speech.sample_rate_hz,
        audio_sha256=audio_sha256(joined.speech),
        spans_s=spans_s,
        gains_db=joined.gains_db,
    )
    return library.put_whole(conversation, whole)


def export_conversation(services: Services, conversation_id: str, fmt: str) -> Path:
    """The whole as a file of that format. Raises BadInputError while lines are missing."""
    if fmt not in EXPORT_FORMATS:
        raise BadInputError(
            _("Unknown format {fmt!r}.", fmt=fmt),
            _("Choose {export_formats}.", export_formats=", ".join(EXPORT_FORMATS)),
        )
    conversation = services.conversations.get(conversation_id)
    if not conversation.is_complete or not conversation.file("wav").is_file():
        conversation = join_conversation(services, conversation_id)
    made = conversation.file(fmt)
    if fmt in ("wav", *SUBTITLES):
        return made
    target = services.exports_folder / made.name
    target.parent.mkdir(parents=True, exist_ok=True)
    write_speech(target, read_speech(conversation.file("wav")))
    return target


def copy_conversation(services: Services, conversation_id: str, target: Path) -> tuple[Path, ...]:
    """Writes the whole to `target`, and its subtitles. Raises as `export_conversation`."""
    sound = export_conversation(services, conversation_id, target.suffix.lower().lstrip("."))
    target.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(target, sound.read_bytes())
    written = [target]
    for fmt in SUBTITLES:
        made = export_conversation(services, conversation_id, fmt)
        written.append(target.with_suffix(f".{fmt}"))
        atomic.write_bytes(written[-1], made.read_bytes())
    return tuple(written)


def _parts(services: Services, conversation: Conversation) -> Iterator[Part]:
    """The lines' recordings. A part brings the pause before it; markup at its edges adds to it."""
    takes = services.conversations.takes(conversation)
    befores_s = [0.0, *(_pause_s(conversation, pair) for pair in pairwise(conversation.lines))]
    for line, before_s in zip(conversation.lines, befores_s, strict=True):
        own_before_s, own_after_s = edge_pauses(line.text)
        speech = read_speech(takes.get(line.take).path)
        # In one go a speaker cannot be levelled alone: the part is, as a whole.
        voice = line.speaker or line.id
        yield Part(speech, voice, before_s + own_before_s, own_after_s)


def _pause_s(conversation: Conversation, pair: Sequence[Line]) -> float:
    first, second = pair
    pauses = conversation.pauses
    return pauses.lines_s if first.turns[-1] == second.turns[0] else pauses.speakers_s


def _subtitles(services: Services, conversation: Conversation, joined: Joined) -> dict[str, str]:
    if conversation.in_one_go:
        cues = _cues_of_parts(conversation, joined)
        return {"srt": srt_of(cues), "vtt": vtt_of(cues)}
    transcript = _transcript(services, conversation, joined)
    return {fmt: render(transcript, fmt) for fmt in SUBTITLES}


def _cues_of_parts(conversation: Conversation, joined: Joined) -> list[Cue]:
    """One cue a part, however long: when each of its turns begins is not known."""
    return [
        Cue(
            *span_s,
            tuple(f"{said.speaker}: {plain_words(said.text)}" for said in parse_script(part.text)),
        )
        for part, span_s in zip(conversation.lines, joined.spans_s, strict=True)
    ]


def _transcript(services: Services, conversation: Conversation, joined: Joined) -> Transcript:
    segments = []
    for line, span_s, offset_s in zip(
        conversation.lines, joined.spans_s, joined.offsets_s, strict=True
    ):
        known = services.conversations.words(conversation, line.take)
        words = tuple(_moved(word, offset_s, span_s) for word in known)
        segments.append(Segment(plain_words(line.text), *span_s, words, line.speaker))
    return Transcript(
        text="\n".join(segment.text for segment in segments),
        language="",
        segments=tuple(segments),
        duration_s=joined.speech.duration_s,
    )


def _moved(word: Word, offset_s: float, span_s: tuple[float, float]) -> Word:
    """The word where it is in the whole, and not outside its line."""

    def within(time_s: float) -> float:
        return min(max(time_s + offset_s, span_s[0]), span_s[1])

    return Word(word.text, within(word.start_s), within(word.end_s))
