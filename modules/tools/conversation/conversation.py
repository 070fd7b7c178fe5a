"""A script in, a conversation out: every line is kept as soon as it is spoken, then all are joined.

Each line's voice may be of any engine; in one go (see `multi_speaker`) one engine speaks for all,
and lines are parts of the script. A run that was killed or cancelled is resumed with the first line
that is missing.
"""

from __future__ import annotations

import dataclasses
import itertools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modules.core_components.errors import BadInputError
from modules.core_components.jobs import Job, JobContext
from modules.core_components.jobs.job import ACTIVE
from modules.core_components.library.conversations import CastMember, Conversation, Line, Pauses
from modules.core_components.progress import CancelToken, Progress, no_progress, phase, scaled
from modules.core_components.text.markup import without_markup
from modules.core_components.text.script import (
    ScriptLine,
    parse_script,
    speakers_of,
    split_style,
    with_style,
)
from modules.core_components.texts import _
from modules.core_components.values import Speech, Word
from modules.core_components.version import APP_VERSION
from modules.tools.conversation.cast import (
    CastVoice,
    cast_of,
    check_voice_is_the_same,
    errors_naming,
    request_of_line,
)
from modules.tools.conversation.joining import join_conversation
from modules.tools.conversation.multi_speaker import (
    cast_in_one_go,
    checked_part,
    parts_of,
    perform_part,
)
from modules.tools.services import Services
from modules.tools.speaking.phonemes import timed_from_the_start
from modules.tools.speaking.request import complete_speech
from modules.tools.speaking.speech import generate_speech, save_take

LONGEST_PAUSE_S = 5.0
# Lines are far apart in seed, since a text counts its own passages up from the seed.
_LINE_SEED_STEP = 1_000_003


@dataclass(frozen=True)
class ConversationRequest:
    """What to say (see `text.script`), and who says it: a voice for each speaker of the script.

    `seed` None draws one; every line has its own, which follows from it.
    """

    script: str
    cast: Mapping[str, CastVoice]
    title: str = ""
    pauses: Pauses = field(default_factory=Pauses)
    seed: int | None = None
    in_one_go: bool = False


def begin_conversation(services: Services, request: ConversationRequest) -> Conversation:
    """Checks everything that can be checked without a model, and keeps the conversation.

    One of the same script, voices and pauses that is not complete yet is taken up again, unless
    the seed is to be another one. Raises StudioError subclasses, each saying what to do.
    """
    script = _checked_script(services, request.script)
    check_pauses(request.pauses)
    spoken = parse_script(script)
    find_cast = cast_in_one_go if request.in_one_go else cast_of
    cast = find_cast(services, speakers_of(spoken), request.cast)
    seed = request.seed if request.seed is not None and request.seed >= 0 else None
    if (begun := _begun_before(services, request, script, seed)) is not None and begun.cast == cast:
        return begun
    seed = secrets.randbelow(2**31) if seed is None else seed
    if request.in_one_go:
        parts = parts_of(services, spoken, cast)
        lines = tuple(_line(index, ScriptLine("", text), seed) for index, text in enumerate(parts))
    else:
        lines = tuple(_line(index, line, seed) for index, line in enumerate(spoken))
        _check_lines(services, lines, spoken, cast)
    title = request.title.strip() or _title(spoken)
    return services.conversations.add(title, script, seed, cast, lines, request.pauses, APP_VERSION)


def speak_conversation(
    services: Services,
    conversation_id: str,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Conversation:
    """Speaks the lines that are missing and joins all.

    Lines of one engine are spoken after each other, so that each model is loaded once. Raises
    StudioError for what cannot be done and JobCancelled; the lines that were spoken stay.
    """
    cancel = cancel or CancelToken()
    conversation = services.conversations.get(conversation_id)
    missing = _engine_by_engine(conversation)
    for speaker in dict.fromkeys(speaker for line in missing for speaker in line.speakers):
        check_voice_is_the_same(services, conversation.member(speaker))
    numbers = {line.id: index for index, line in enumerate(conversation.lines, start=1)}
    lengths = [len(line.text) for line in missing]
    ends = [0.97 * end / sum(lengths) for end in itertools.accumulate(lengths)]
    for line, start, end in zip(missing, [0.0, *ends], ends, strict=False):
        cancel.raise_if_cancelled()
        message = _place_in_words(conversation, numbers[line.id], line)
        progress(start, message)
        report = _with_message(scaled(progress, start, end), message)
        conversation = _speak_line(services, conversation, line, report, cancel)
    progress(0.97, _("Joining the lines"))
    joined = join_conversation(services, conversation.id)
    progress(1.0, _("Done"))
    return joined


def _place_in_words(conversation: Conversation, number: int, line: Line) -> str:
    place = {
        "number": number,
        "count": len(conversation.lines),
        "speakers": ", ".join(line.speakers),
    }
    if conversation.in_one_go:
        return _("Part {number} of {count}: {speakers}", **place)
    return _("Line {number} of {count}: {speakers}", **place)


def speak_line_again(
    services: Services,
    conversation_id: str,
    line_id: str,
    text: str | None = None,
    seed: int | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Conversation:
    """Speaks one line anew, with another text (which may begin with a style) or seed; None leaves
    the text and draws a seed. Then all are joined again, unless lines are missing. What was spoken
    in one go is spoken anew as one: the whole part.

    The old recording moves to the conversation's trash once the new one is there. Raises as
    `speak_conversation`.
    """
    cancel = cancel or CancelToken()
    conversation = services.conversations.get(conversation_id)
    line = changed_line(services, conversation, line_id, text, seed)
    for speaker in line.speakers:
        check_voice_is_the_same(services, conversation.member(speaker))
    conversation = _speak_line(services, conversation, line, phase(progress, 0.0, 0.9), cancel)
    if conversation.made == len(conversation.lines):
        progress(0.9, _("Joining the lines"))
        conversation = join_conversation(services, conversation.id)
    progress(1.0, _("Done"))
    return conversation


def changed_line(
    services: Services,
    conversation: Conversation,
    line_id: str,
    text: str | None,
    seed: int | None,
) -> Line:
    """The line with another text and seed, checked. Raises as `begin_conversation`."""
    line = conversation.line(line_id)
    new_seed = secrets.randbelow(2**31) if seed is None or seed < 0 else seed
    if conversation.in_one_go:
        part = line.text if text is None else checked_part(conversation, text)
        return dataclasses.replace(line, text=part, seed=new_seed)
    style, words = (line.style, line.text) if text is None else split_style(text)
    changed = dataclasses.replace(line, text=words, style=style, seed=new_seed)
    complete_speech(services, request_of_line(services, conversation.member(line.speaker), changed))
    return changed


def _speak_line(
    services: Services,
    conversation: Conversation,
    line: Line,
    progress: Progress,
    cancel: CancelToken,
) -> Conversation:
    """Speaks a line and keeps it; another recording of it goes to the trash."""
    library = services.conversations
    pieces: list[Speech] = []
    if conversation.in_one_go:
        unsaved = perform_part(services, conversation, line, progress, cancel)
    else:
        wanted = request_of_line(services, conversation.member(line.speaker), line)
        request = complete_speech(services, wanted)
        unsaved = generate_speech(services, request, progress, cancel, pieces.append)
    takes = library.takes(conversation)
    take = save_take(services, takes, unsaved)
    library.keep_words(conversation, take, _words(pieces))
    old = conversation.line(line.id).take
    changed = library.put_line(conversation.id, dataclasses.replace(line, take=take.id))
    if old:
        takes.delete(old)
    return changed


def _words(pieces: Sequence[Speech]) -> tuple[Word, ...]:
    return tuple(word for piece in timed_from_the_start(pieces) for word in piece.words)


def _engine_by_engine(conversation: Conversation) -> list[Line]:
    """The missing lines, those of the engine that speaks first before all others."""
    missing = [line for line in conversation.lines if not line.take]
    if conversation.in_one_go:
        return missing
    engines = [conversation.member(line.speaker).engine for line in conversation.lines]
    order = {engine: index for index, engine in enumerate(dict.fromkeys(engines))}
    return sorted(missing, key=lambda line: order[conversation.member(line.speaker).engine])


def _begun_before(
    services: Services, request: ConversationRequest, script: str, seed: int | None
) -> Conversation | None:
    """The last conversation of this script that is not complete."""
    for known in services.conversations.list():
        same = known.script == script and known.pauses == request.pauses
        if same and known.in_one_go == request.in_one_go and not known.is_complete:
            return known if seed in (None, known.seed) else None
    return None


def _checked_script(services: Services, script: str) -> str:
    limit = services.settings.max_text_characters
    if len(script) > limit:
        raise BadInputError(
            _(
                "The script has {count:,} characters; the limit is {limit:,}.",
                count=len(script),
                limit=limit,
            ),
            _("Make several conversations of it, or raise “Longest text” in the settings."),
            "script",
        )
    return script.strip("\n")


def _check_lines(
    services: Services,
    lines: Sequence[Line],
    spoken: Sequence[ScriptLine],
    cast: Sequence[CastMember],
) -> None:
    members = {member.speaker: member for member in cast}
    for line, written in zip(lines, spoken, strict=True):
        with errors_naming(
            _("Line {number}, {speaker}", number=written.number, speaker=line.speaker)
        ):
            complete_speech(services, request_of_line(services, members[line.speaker], line))


def check_pauses(pauses: Pauses) -> None:
    """Raises BadInputError for a pause that is negative or too long."""
    for seconds in dataclasses.astuple(pauses):
        if not 0 <= seconds <= LONGEST_PAUSE_S:
            raise BadInputError(
                _("A pause of {seconds:g} seconds between lines is not possible.", seconds=seconds),
                _(
                    "It must lie between 0 and {most:g}.",
                    most=LONGEST_PAUSE_S,
                ),
                "pauses",
            )


def _line(index: int, line: ScriptLine, seed: int) -> Line:
    return Line(
        id=f"{index + 1:04d}",
        speaker=line.speaker,
        text=line.text,
        seed=(seed + index * _LINE_SEED_STEP) % 2**31,
        style=line.style,
    )


def _with_message(progress: Progress, message: str) -> Progress:
    return lambda fraction, _unused: progress(fraction, message)


def _title(lines: Sequence[ScriptLine]) -> str:
    speakers = speakers_of(lines)
    names = ", ".join(speakers[:3])
    if len(speakers) > 3:
        names = _("{names} and others", names=names)
    return f"{names}: {' '.join(without_markup(lines[0].text).split())[:40]}"


# Speaking, respeaking a line and joining as jobs.

CONVERSE = "converse"
LINE_AGAIN = "line_again"
JOIN = "join_conversation"
KINDS = (CONVERSE, LINE_AGAIN, JOIN)


def register(services: Services) -> None:
    """Registers the jobs of this file."""

    def run_converse(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        made = speak_conversation(services, payload["conversation"], job.progress, job.cancel)
        return {"conversation": made.id}

    def run_line(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        made = speak_line_again(
            services,
            payload["conversation"],
            payload["line"],
            payload["text"],
            payload["seed"],
            job.progress,
            job.cancel,
        )
        return {"conversation": made.id, "line": payload["line"]}

    def run_join(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        job.progress(0.0, _("Joining the lines"))
        return {"conversation": join_conversation(services, payload["conversation"]).id}

    services.jobs.register(CONVERSE, run_converse)
    services.jobs.register(JOIN, run_join)
    services.jobs.register(LINE_AGAIN, run_line)


def submit_conversation(services: Services, request: ConversationRequest) -> Job:
    """Checks the request and queues it; one that was begun before is resumed."""
    return submit_rest(services, begin_conversation(services, request).id)


def submit_rest(services: Services, conversation_id: str) -> Job:
    """Queues the lines of a conversation that are not spoken yet, and the joining."""
    conversation = services.conversations.get(conversation_id)
    running = work_on(services, conversation.id)
    if running is not None and running.kind == CONVERSE:
        return running
    return services.jobs.submit(CONVERSE, conversation.title, {"conversation": conversation.id})


def work_on(services: Services, conversation_id: str) -> Job | None:
    """The job that works on a conversation, or waits to do so."""
    for job in services.jobs.list(states=ACTIVE):
        if job.kind in KINDS and job.payload.get("conversation") == conversation_id:
            return job
    return None


def delete_conversation(services: Services, conversation_id: str) -> str:
    """Moves a conversation to the trash; returns the id to restore it by.

    Raises NotFoundError, BadInputError while it is being worked on.
    """
    if work_on(services, conversation_id) is not None:
        raise BadInputError(_("This conversation is being spoken."), _("Cancel that first."))
    return services.conversations.delete(conversation_id)


def submit_line(
    services: Services, conversation_id: str, line_id: str, text: str | None, seed: int | None
) -> Job:
    """Queues one line again; a resumed job repeats it with the same seed."""
    conversation = services.conversations.get(conversation_id)
    if not line_id:
        raise BadInputError(_("No line is chosen."), _("Choose one in the list of lines."))
    line = changed_line(services, conversation, line_id, text, seed)
    payload = {
        "conversation": conversation.id,
        "line": line.id,
        "text": with_style(line.text, line.style),
        "seed": line.seed,
    }
    place = {"number": int(line.id), "speakers": ", ".join(line.speakers)}
    title = (
        _("Part {number} again: {speakers}", **place)
        if conversation.in_one_go
        else _("Line {number} again: {speakers}", **place)
    )
    return services.jobs.submit(LINE_AGAIN, title, payload)


def submit_joining(services: Services, conversation_id: str, pauses: Pauses) -> Job:
    """Queues joining the lines with other pauses. Raises BadInputError."""
    check_pauses(pauses)
    conversation = services.conversations.put_pauses(conversation_id, pauses)
    payload = {"conversation": conversation.id}
    return services.jobs.submit(JOIN, _("Join {title}", title=conversation.title), payload)
