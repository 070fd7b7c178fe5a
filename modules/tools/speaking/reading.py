"""How a text will be read: its spoken form, and what each step of the front end made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.engines.kokoro.reading.inline_phonemes import (
    PLACEHOLDER,
    extract_given,
)
from modules.core_components.ai_models.engines.options import describe_options
from modules.core_components.errors import BadInputError
from modules.core_components.text.language_codes import language_tag, match_language
from modules.core_components.text.languages import is_spaceless
from modules.core_components.text.markup import parse_markup, tag_spans, used_in
from modules.core_components.text.reading.comparison import Segment, compare_texts
from modules.core_components.text.reading.front_end import (
    FORMATTING_ONLY,
    RULED_LANGUAGES,
    STEP_NAMES,
    STEPS,
    explain,
    read_as_spoken,
    steps_without,
)
from modules.core_components.text.reading.offset_text import OffsetText
from modules.core_components.texts import _
from modules.tools.services import Services
from modules.tools.speaking.pronunciations import OPTION as PRONUNCIATIONS
from modules.tools.speaking.request import check_text, language_to_speak
from modules.tools.speaking.voice_lookup import find_voice
from modules.tools.voices.preset_voices import usual_language

AS_WRITTEN = "as_written"


@dataclass(frozen=True)
class StepReading:
    """A step that changed something: the whole `text` after it, and what it replaced."""

    step: str
    about: str
    text: str
    replaced: tuple[Segment, ...]

    @property
    def label(self) -> str:
        """The name of the step on the page."""
        return step_label(self.step)


@dataclass(frozen=True)
class Reading:
    """A text as it will be said in a language.

    `segments` are the text in pieces, written and spoken; `changes` the steps that changed
    something, in order; `pronounced` the words whose sound is given in the text or the dictionary.
    """

    language: str
    segments: tuple[Segment, ...]
    changes: tuple[StepReading, ...]
    pronounced: tuple[Segment, ...]

    @property
    def spoken(self) -> str:
        """The spoken form, with the pauses and speeds that the text sets."""
        return "".join(segment.spoken for segment in self.segments)


def language_to_read(services: Services, language: str, model_id: str = "", voice: str = "") -> str:
    """The code of the language to read in: the one given, else that of the voice, else the usual
    one. With a model it is one of its own codes.

    Raises BadInputError for a language that does not exist or that the model does not speak, and
    for an unknown voice.
    """
    engine = services.tts.get(model_id or services.settings.tts_model)
    if voice and not language.strip():
        language = find_voice(services, engine, voice).language
    if model_id:
        return language_to_speak(services, engine, language)
    if not language.strip():
        return usual_language(services, engine)
    code = match_language(language, RULED_LANGUAGES) or language_tag(language)
    if not code:
        raise BadInputError(
            _("There is no language {language!r}.", language=language),
            _("Give a code, such as en-us or it."),
            "language",
        )
    return code


def step_label(name: str) -> str:
    """The name of a step as the page shows it."""
    label = _(name)
    return label[:1].upper() + label[1:]


def steps_of(engine: TTSEngine | None, as_written: str = "") -> tuple[str, ...]:
    """The steps that an engine reads by, without those that `as_written` names (with commas).

    Models that were trained on text as it is written have only those that need no rules. Without an
    engine all steps apply. Raises BadInputError for a name that no step has, and for steps that
    cannot be left out.
    """
    if engine is None or _has_option(engine, AS_WRITTEN):
        return steps_without(as_written)
    if as_written.strip():
        raise BadInputError(
            _(
                "{label} was trained on text as it is written: no step can be left out.",
                label=engine.label,
            ),
            _("Choose another model, such as Kokoro, or leave out no steps."),
            AS_WRITTEN,
        )
    return tuple(name for name in STEP_NAMES if name in FORMATTING_ONLY)


def named_steps(names: Iterable[str] | None) -> str:
    """The value of the option `as_written` with which only these steps apply; None means all.

    Raises BadInputError for a name that no step has.
    """
    if names is None:
        return ""
    wanted = [name.strip().lower() for name in names]
    steps_without(",".join(wanted))  # refuses unknown names
    return ", ".join(name for name in STEP_NAMES if name not in wanted)


def read_text(
    services: Services, text: str, language: str, model_id: str = "", as_written: str = ""
) -> Reading:
    """`text` as it will be said in a language, of which `language_to_read` gave the code.

    Words in the pronunciation dictionary or with phonemes of their own pass the steps unread, in
    models that take pronunciations; without a model, too. No model is loaded. Raises BadInputError
    for markup that cannot be read, and as `steps_of`.
    """
    text = check_text(services, text)
    engine = services.tts.get(model_id) if model_id else None
    steps = steps_of(engine, as_written)
    entries: Mapping[str, str] | None = None
    if engine is None or _has_option(engine, PRONUNCIATIONS):
        entries = used_in(text, services.pronunciations.entries(language))
    parse_markup(text)  # refuses tags that cannot be read
    parts, position = [], 0
    for start, end in tag_spans(text):
        parts += [
            _read_part(text[position:start], language, steps, entries),
            _unread(text[start:end]),
        ]
        position = end
    parts.append(_read_part(text[position:], language, steps, entries))
    return Reading(
        language,
        tuple(segment for part in parts for segment in part.segments),
        tuple(_changes(parts)),
        tuple(dict.fromkeys(given for part in parts for given in part.pronounced)),
    )


@dataclass(frozen=True)
class _Part:
    """A part of the text without tags: by step its text after it and what was replaced."""

    text: str
    segments: tuple[Segment, ...]
    after: Mapping[str, tuple[str, tuple[Segment, ...]]]
    pronounced: tuple[Segment, ...]


def _unread(tag: str) -> _Part:
    return _Part(tag, (Segment(tag, tag),), {}, ())


def _read_part(
    text: str, language: str, steps: Sequence[str], entries: Mapping[str, str] | None
) -> _Part:
    words: tuple[str, ...] = ()
    pronounced: tuple[Segment, ...] = ()
    if entries is not None:
        if PLACEHOLDER in text:
            raise BadInputError(
                _(
                    "The text has the character U+{ord:04X}, which has no reading.",
                    ord=ord(PLACEHOLDER),
                ),
                _("Leave it out."),
                "text",
            )
        extracted, given = extract_given(text, entries, not is_spaceless(language), None)
        text = extracted.text
        words = tuple(one.word for one in given)
        sounds = set(entries.values())
        pronounced = tuple(
            Segment(one.word, one.phonemes if one.phonemes in sounds else f"/{one.phonemes}/")
            for one in given
        )
    after = {}
    current = text
    for change in explain(text, language, steps):
        one_step = read_as_spoken(OffsetText.of(current), language, (change.name,))
        replaced = _filled(compare_texts(one_step), words)
        changed = tuple(segment for segment in replaced if segment.is_replaced)
        after[change.name] = (_fill(change.text, iter(words)), changed)
        current = change.text
    segments = _filled(compare_texts(read_as_spoken(OffsetText.of(text), language, steps)), words)
    return _Part(_fill(text, iter(words)), segments, after, pronounced)


def _changes(parts: Sequence[_Part]) -> Iterable[StepReading]:
    """The steps that changed a part, each with the whole text after it."""
    texts = [part.text for part in parts]
    for step in STEPS:
        replaced: list[Segment] = []
        for number, part in enumerate(parts):
            if step.name in part.after:
                texts[number], changed = part.after[step.name]
                replaced += changed
        if any(step.name in part.after for part in parts):
            yield StepReading(step.name, step.about, "".join(texts), tuple(replaced))


def _filled(segments: Iterable[Segment], words: Sequence[str]) -> tuple[Segment, ...]:
    """The segments with the words in place of the placeholders."""
    written, spoken = iter(words), iter(words)
    return tuple(
        Segment(_fill(one.written, written), _fill(one.spoken, spoken)) for one in segments
    )


def _fill(text: str, words: Iterable[str]) -> str:
    left = iter(words)
    return "".join(next(left, "") if one == PLACEHOLDER else one for one in text)


def _has_option(engine: TTSEngine, name: str) -> bool:
    return any(item.name == name for item in describe_options(engine.options_type))
