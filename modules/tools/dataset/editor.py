"""Mending the clips of a dataset by hand; every change is whole, and can be taken back.

Which clips are for training and which for evaluation is not among what can be changed: a clip
that the model was trained on cannot judge it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modules.core_components.ai_models.engines.options import describe_options
from modules.core_components.audio.files import encode_speech, read_speech
from modules.core_components.dataset.report_clips import breaks_rows
from modules.core_components.dataset.trimming import cut_sound, trimmed_clip
from modules.core_components.dataset.values import Clip, Dataset, clip_label
from modules.core_components.errors import BadInputError, ModelBusyError, NotFoundError
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.texts import _, mark, ngettext
from modules.core_components.values import Speech
from modules.tools.listening.transcribe import transcribe_speech
from modules.tools.services import Services

# Kept with the clip; the page translates it.
BY_HAND = mark("dropped by hand")
# What the journal keeps of a change, in English; `change_in_words` translates it.
_CHANGES = {
    "Text": mark("Text of {clip}"),
    "Trim": mark("Trim of {clip}"),
    "Transcription": mark("Transcription of {clip}"),
    "Drop": mark("Drop of {clip}"),
    "Restore": mark("Restore of {clip}"),
}
MOST_CHARACTERS = 1000


def get_clip(services: Services, dataset_name: str, clip_id: str) -> Clip:
    """A clip by its id, dropped or not. Raises NotFoundError."""
    for clip in services.datasets.get(dataset_name).clips:
        if clip.id == clip_id:
            return clip
    raise NotFoundError(
        _("The clip is not in the dataset {dataset_name!r} any more.", dataset_name=dataset_name),
        _("Choose another one in the list."),
        details=f"Clip {clip_id!r}.",
    )


def fix_text(services: Services, dataset_name: str, clip_id: str, text: str) -> Clip:
    """Corrects the text of a clip. Raises BadInputError, NotFoundError."""
    clip = get_clip(services, dataset_name, clip_id)
    corrected = replace(clip, text=checked_text(text), edited=True)
    return _changed(services, dataset_name, corrected, "Text")


def trim(services: Services, dataset_name: str, clip_id: str, start_s: float, end_s: float) -> Clip:
    """Cuts a clip to what lies between two times, in seconds from its start.

    The words outside are removed from the text. Raises BadInputError.
    """
    clip = get_clip(services, dataset_name, clip_id)
    wav = services.datasets.get(dataset_name).wav_of(clip)
    speech = read_speech(wav)
    shorter = trimmed_clip(clip, start_s, end_s)
    samples = cut_sound(speech.samples, speech.sample_rate_hz, start_s, end_s)
    sound = encode_speech(Speech(samples, speech.sample_rate_hz), "wav")
    return _changed(services, dataset_name, shorter, "Trim", sound)


def transcribe_again(
    services: Services,
    dataset_name: str,
    clip_id: str,
    model_id: str = "",
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Clip:
    """Transcribes a clip again, with new word times.

    Raises BadInputError if no words are recognized; then the text is not changed.
    """
    clip = get_clip(services, dataset_name, clip_id)
    dataset = services.datasets.get(dataset_name)
    model_id = model_id or services.settings.asr_model
    known = {field.name for field in describe_options(services.asr.get(model_id).options_type)}
    options = {"word_timestamps": True} if "word_timestamps" in known else {}
    speech = read_speech(dataset.wav_of(clip))
    cancel = cancel or CancelToken()
    said = transcribe_speech(
        services, speech, model_id, dataset.language, progress, cancel, options
    )
    text = " ".join(said.text.split())
    if not text:
        raise BadInputError(
            _("No words were recognized in this clip."), _("Play it, or exclude it.")
        )
    words = tuple(word for segment in said.segments for word in segment.words)
    corrected = replace(clip, text=text, heard=text, words=words, edited=True)
    return _changed(services, dataset_name, corrected, "Transcription")


def drop_clips(
    services: Services, dataset_name: str, clip_ids: Sequence[str], reason: str = BY_HAND
) -> None:
    """Excludes clips from the metadata; they stay on the disk. Raises NotFoundError."""
    clips = [get_clip(services, dataset_name, clip_id) for clip_id in clip_ids]
    _change_all(services, dataset_name, [replace(c, dropped=reason) for c in clips], "Drop")


def restore_clips(services: Services, dataset_name: str, clip_ids: Sequence[str]) -> None:
    """Includes excluded clips again. Raises NotFoundError, BadInputError for one without text."""
    clips = [get_clip(services, dataset_name, clip_id) for clip_id in clip_ids]
    for clip in clips:
        checked_text(clip.text)
    _change_all(services, dataset_name, [replace(c, dropped="") for c in clips], "Restore")


def change_language(services: Services, dataset_name: str, language: str) -> Dataset:
    """Says that the recordings are in another language (ISO 639-1); clips keep their texts.

    Raises NotFoundError, BadInputError for what is no language, ModelBusyError while a job adds
    recordings to the dataset or checks it. A training has taken its rows and their language along.
    """
    dataset = services.datasets.get(dataset_name)
    for job in services.jobs.list(states=("queued", "running")):
        if job.payload.get("dataset") == dataset.name:
            raise ModelBusyError(
                _("A job works on {name!r}: {title}.", name=dataset.name, title=job.title),
                _("Wait until it is done, or stop it; then change the language."),
            )
    return services.datasets.set_language(dataset.name, language)


def undo(services: Services, dataset_name: str) -> str:
    """Takes the last change back; returns what it was. Raises NotFoundError if there is none."""
    actions = services.datasets.actions(dataset_name)
    services.datasets.undo(dataset_name)
    return change_in_words(actions[0])


def change_in_words(kept: str) -> str:
    """A change that the journal of the dataset keeps, in the language of the page."""
    action, _of, clip = kept.partition(" of ")
    if action not in _CHANGES:
        return kept
    count, _blank, noun = clip.partition(" ")
    if count.isdigit() and noun == "clips":
        clip = ngettext("{count} clip", "{count} clips", int(count))
    elif clip[:1] == "“" and clip[-1:] == "”":
        clip = _("“{text}”", text=clip[1:-1])
    return _(_CHANGES[action], clip=clip)


def checked_text(text: str) -> str:
    """The text on one line with single spaces. Raises BadInputError for what no row can hold."""
    text = text.strip()
    if not any(character.isalnum() for character in text):
        raise BadInputError(
            _("The text is empty.") if not text else _("The text has no letter to speak."),
            _("Write what is said, or exclude the clip."),
            "text",
        )
    if breaks_rows(text):
        raise BadInputError(
            _("A text cannot have a | or a line break: they part the rows of the dataset."),
            _("Write it on one line, with a comma instead."),
            "text",
        )
    if len(text) > MOST_CHARACTERS:
        raise BadInputError(
            _("The text has {count} characters.", count=len(text)),
            _("A clip holds a sentence or two."),
            "text",
        )
    return " ".join(text.split())


def _changed(
    services: Services, dataset_name: str, clip: Clip, action: str, sound: bytes | None = None
) -> Clip:
    sounds = {} if sound is None else {clip.id: sound}
    services.datasets.update_clips(
        dataset_name,
        [clip],
        _change(action, clip_label(clip.text)),
        sounds,
    )
    return clip


def _change_all(services: Services, dataset_name: str, clips: Sequence[Clip], action: str) -> None:
    what = clip_label(clips[0].text) if len(clips) == 1 else f"{len(clips)} clips"
    if clips:
        services.datasets.update_clips(dataset_name, clips, _change(action, what))


def _change(action: str, what: str) -> str:
    """A change as the journal keeps it."""
    return f"{action} of {what}"
