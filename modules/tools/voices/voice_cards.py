"""Every voice of the studio in one list: samples, designed, mixed, trained and stock voices.

Each has a key that stays when it is renamed: its kind and what its library calls it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.engines.kokoro.voices import SUFFIXES
from modules.core_components.ai_models.engines.xtts.checkpoint import reference_clips
from modules.core_components.errors import BadInputError, NotFoundError, StudioError
from modules.core_components.library.names import safe_stem
from modules.core_components.library.trash import Trash
from modules.core_components.library.tuned_models import TunedModel
from modules.core_components.texts import _, mark
from modules.core_components.values import OwnVoice, Sample
from modules.tools.models import library
from modules.tools.models.ready_models import has_stock_voices, is_voice_match, speaking_models
from modules.tools.models.tuned_models import model_id_of
from modules.tools.services import Services
from modules.tools.trash import restore_from_trash
from modules.tools.voices.own_voices import MODEL, export_preset, has_packs
from modules.tools.voices.preparation import cloning_model, is_preparing
from modules.tools.voices.preset_voices import PresetVoice, preset_voices
from modules.tools.voices.previews import PREVIEW, find_preview, submit_preview
from modules.tools.voices.samples import export_voice

SAMPLE, DESIGNED, MIXED, TRAINED, STOCK = "sample", "designed", "mixed", "trained", "stock"
KINDS = (SAMPLE, DESIGNED, MIXED, TRAINED, STOCK)
READY, PREPARING, UNPREPARED, NO_MODEL, NO_CONSENT = (
    *("ready", "preparing", "not prepared", "no model", "no consent"),
)
# What a voice of a kind cannot have done to it, and why.
FIXED = mark("It comes with the model: it cannot be renamed or deleted.")
_PREVIEW_WAIT_S = 120.0


@dataclass(frozen=True)
class VoiceCard:
    """A voice as it is listed.

    `voice` is what a request to speak calls it, `model_id` the model whose voice it is; for a
    sample the usual one of those that clone, "" without any. `state` is READY; PREPARING or
    UNPREPARED for a sample that its first take has to wait for; NO_MODEL or NO_CONSENT for what
    cannot speak. `fixed` says why it cannot be renamed and deleted, `formats` are the suffixes
    that it can be exported in at once, `has_sound`: there is something to hear it by (`sound_of`).
    """

    key: str
    kind: str
    name: str
    voice: str
    language: str = ""
    model_id: str = ""
    engine: str = ""
    about: str = ""
    state: str = READY
    created: str = ""
    fixed: str = ""
    formats: tuple[str, ...] = ()
    has_sound: bool = True
    is_favourite: bool = False


def list_cards(services: Services) -> tuple[VoiceCard, ...]:
    """Every voice: favourites first, then the user's own, the latest first, then stock voices."""
    marked = services.favourites.keys()
    found = [replace(card, is_favourite=card.key in marked) for card in _cards(services)]
    found.sort(key=lambda card: card.created, reverse=True)
    return tuple(sorted(found, key=lambda card: (not card.is_favourite, card.kind == STOCK)))


def find_card(services: Services, key: str) -> VoiceCard:
    """The voice of a key. Raises NotFoundError."""
    for card in list_cards(services):
        if card.key == key:
            return card
    raise NotFoundError(
        _("There is no such voice."), _("It was deleted, perhaps: look in the trash.")
    )


def find_sample(services: Services, card: VoiceCard) -> Sample:
    """The sample behind a sample's or a designed voice. Raises NotFoundError."""
    return services.samples.get(card.voice)


def find_tuned(services: Services, card: VoiceCard) -> TunedModel:
    """The model behind a trained voice. Raises NotFoundError."""
    return services.tuned_models.get(card.key.partition(":")[2])


def recordings_of(services: Services, card: VoiceCard) -> tuple[Path, ...]:
    """The recordings that the voice was taken from, as far as they are here."""
    if card.kind in (SAMPLE, DESIGNED):
        return (find_sample(services, card).path,)
    return reference_clips(find_tuned(services, card).folder) if card.kind == TRAINED else ()


def mark_favourite(services: Services, key: str, is_favourite: bool) -> None:
    """Raises NotFoundError, DiskFullError."""
    services.favourites.mark(find_card(services, key).key, is_favourite)


def rename(services: Services, key: str, name: str) -> VoiceCard:
    """Changes what people read. Raises NotFoundError, and BadInputError for a stock voice, an
    empty name and one that is taken."""
    card = find_card(services, key)
    if card.fixed:
        raise BadInputError(_("{name} cannot be renamed.", name=card.name), _(card.fixed))
    if not name.strip():
        raise BadInputError(_("The voice has no name."), _("Write one."))
    if card.kind in (SAMPLE, DESIGNED):
        services.samples.update(card.voice, new_name=name)
    elif card.kind == MIXED:
        services.voices.rename(card.voice, name)
    else:
        services.tuned_models.rename(find_tuned(services, card).name, name)
    return find_card(services, key)


def delete(services: Services, key: str) -> str:
    """Moves a voice to the trash; returns the id for `restore`.

    Raises NotFoundError, BadInputError for a stock voice, and ModelInUseError.
    """
    card = find_card(services, key)
    if card.fixed:
        raise BadInputError(_("{name} cannot be deleted.", name=card.name), _(card.fixed))
    if card.kind in (SAMPLE, DESIGNED):
        return services.samples.delete(card.voice)
    if card.kind == MIXED:
        return services.voices.delete(card.voice)
    trash: Trash = services.tuned_models.trash
    before = set(trash.ids())
    library.delete(services, card.model_id)
    return next(entry for entry in trash.ids() if entry not in before)


def restore(services: Services, trash_id: str) -> str:
    """Undoes `delete`; returns the name of what is back. Raises NotFoundError."""
    return restore_from_trash(services, trash_id).name


def sound_of(services: Services, key: str, number: int = 0) -> Path:
    """A recording to hear a voice by: the sample, a trained voice's clip of that number, or else
    the preview, which is spoken first where there is none yet.

    Raises NotFoundError, and StudioError for a preview that cannot be made.
    """
    card = find_card(services, key)
    clips = recordings_of(services, card)
    if clips:
        if not 0 <= number < len(clips):
            raise NotFoundError(_("{name} has no recording of that number.", name=card.name))
        return clips[number]
    kept = find_preview(services, card.model_id, card.voice, card.language)
    if kept is not None:
        return kept
    queued = services.jobs.list(("queued", "running"), PREVIEW)
    wanted = {"model": card.model_id, "voice": card.voice, "language": card.language}
    job = next((job for job in queued if job.payload == wanted), None)
    job = job or submit_preview(services, card.model_id, card.voice, card.language)
    done = services.jobs.wait(job.id, _PREVIEW_WAIT_S)
    if done.state != "done" or not done.result:
        raise StudioError(
            done.error or _("The preview was not spoken."), done.hint or _("Try again.")
        )
    return Path(done.result["file"])


def export(services: Services, key: str, suffix: str) -> Path:
    """A file of the voice: a sample's recording (.wav), or numbers that Kokoro speaks with.

    Raises NotFoundError, and BadInputError for a format that the voice cannot have.
    """
    card = find_card(services, key)
    if suffix not in card.formats:
        raise BadInputError(
            _("{name} cannot be exported as {suffix!r}.", name=card.name, suffix=suffix),
            _(card.fixed),
        )
    if suffix == ".wav":
        return find_sample(services, card).path
    target = services.exports_folder / f"{safe_stem(card.name)}{suffix}"
    if card.kind in (SAMPLE, DESIGNED):
        return export_voice(services, card.voice, target, card.model_id)
    return export_preset(services, card.voice, target, card.model_id)


def _cards(services: Services) -> Iterator[VoiceCard]:
    cloning = cloning_model(services)
    for sample in services.samples.list():
        yield _of_sample(services, sample, cloning)
    for voice in services.voices.list():
        yield _of_own(services, voice)
    for model in services.tuned_models.list():
        yield _of_tuned(services, model)
    for entry in speaking_models(services):
        if has_stock_voices(entry) and services.tts.tuned_model(entry.id) is None:
            yield from _stock(services, entry.id, entry.label)


def _of_sample(services: Services, sample: Sample, model_id: str) -> VoiceCard:
    entry = services.tts.entry(model_id) if model_id else None
    way = entry.label if entry else ""
    if entry and is_voice_match(entry):
        way = _("{engine}, voice match", engine=entry.label)
    design = _design_of(sample)
    return VoiceCard(
        key=f"{SAMPLE}:{sample.path.stem}",
        kind=DESIGNED if design else SAMPLE,
        name=sample.name,
        voice=sample.name,
        language=sample.language,
        model_id=model_id,
        engine=way,
        about=str(design.get("description", "")) if design else sample.ref_text,
        state=_state_of_sample(services, sample, model_id),
        created=sample.created,
        formats=(".wav", *(SUFFIXES if _is_refined(services, sample, model_id) else ())),
    )


def _is_refined(services: Services, sample: Sample, model_id: str) -> bool:
    """Whether the sample's voice is there as numbers for Kokoro; making them takes minutes."""
    if not model_id or not has_packs(services, model_id):
        return False
    return services.tts.refined_voice(model_id, sample) is not None


def _design_of(sample: Sample) -> dict[str, Any]:
    design = sample.info.get("design")
    return design if isinstance(design, dict) else {}


def is_synthetic(sample: Sample) -> bool:
    """Whether a model spoke it, not a person."""
    return bool(sample.info.get("synthetic"))


def _state_of_sample(services: Services, sample: Sample, model_id: str) -> str:
    if sample.consent is not None and not sample.consent.agreed:
        return NO_CONSENT
    if not model_id:
        return NO_MODEL
    if services.tts.prepared_voice(model_id, sample) is not None:
        return READY
    return PREPARING if is_preparing(services, sample.name) else UNPREPARED


def _of_own(services: Services, voice: OwnVoice) -> VoiceCard:
    model_id = voice.model_id or MODEL
    is_here = services.tts.available(model_id)
    return VoiceCard(
        key=f"{MIXED}:{voice.name}",
        kind=MIXED,
        name=voice.label,
        voice=voice.name,
        language=voice.language,
        model_id=model_id,
        engine=services.tts.entry(model_id).label,
        about=voice.made_from,
        state=READY if is_here else NO_MODEL,
        has_sound=is_here,
        created=voice.created,
        formats=SUFFIXES if is_here and has_packs(services, model_id) else (),
    )


def _of_tuned(services: Services, model: TunedModel) -> VoiceCard:
    model_id = model_id_of(model)
    presets = services.tts.get(model_id).voices() if services.tts.available(model_id) else ()
    created = model.card.get("created")
    return VoiceCard(
        key=f"{TRAINED}:{model.name}",
        kind=TRAINED,
        name=model.label,
        voice=presets[0] if presets else "",
        language=model.language,
        model_id=model_id,
        engine=_("Fine-tuned XTTS"),
        state=READY if presets else NO_MODEL,
        has_sound=bool(presets or reference_clips(model.folder)),
        created=created if isinstance(created, str) else "",
    )


def _stock(services: Services, model_id: str, engine: str) -> Iterator[VoiceCard]:
    handle = services.tts.get(model_id)
    formats = SUFFIXES if has_packs(services, model_id) else ()
    for voice in preset_voices(services, handle):
        if not voice.is_own:
            name, _unused, about = voice.label.partition(" · ")
            yield VoiceCard(
                key=f"{STOCK}:{model_id}:{voice.name}",
                kind=STOCK,
                name=name,
                voice=voice.name,
                language=voice.language,
                model_id=model_id,
                engine=engine,
                about=_about_stock(voice, about),
                fixed=FIXED,
                formats=formats,
            )


def _about_stock(voice: PresetVoice, words: str) -> str:
    """Woman or man, as far as the name says; the language is a field of its own."""
    return words.rpartition(", ")[2] if voice.language else words
