"""Everything that is known of one voice: its recordings, consent, likeness, origin, engines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.audio.files import read_speech
from modules.core_components.errors import NotFoundError, StudioError
from modules.core_components.library.takes import TakeFilter
from modules.core_components.text.language_codes import match_language
from modules.core_components.text.languages import language_name
from modules.core_components.texts import _, mark
from modules.core_components.values import Consent, Sample
from modules.tools.models.ready_models import can_clone, is_voice_match, model_label
from modules.tools.models.tuned_models import SUFFIX, card_facts
from modules.tools.services import Services
from modules.tools.voices import voice_cards
from modules.tools.voices.remedies import CLEANED_FROM, what_changed
from modules.tools.voices.voice_cards import (
    DESIGNED,
    MIXED,
    SAMPLE,
    STOCK,
    TRAINED,
    VoiceCard,
    find_card,
    find_sample,
    find_tuned,
    recordings_of,
)

# Takes in the voice that are looked at for their measured likeness, the newest first.
_MOST_TAKES = 200
# Of an engine.
READY, NOT_HERE = mark("ready"), mark("not here")
PREPARED, NOT_PREPARED = mark("prepared"), mark("prepared with its first take")
NOT_INSTALLED = mark("not installed")


@dataclass(frozen=True)
class Recording:
    """A recording of the voice; `number` is what `sound_of` takes."""

    number: int
    name: str
    duration_s: float
    sample_rate_hz: int
    size_bytes: int


@dataclass(frozen=True)
class EngineUse:
    """An engine that can speak with the voice. `way` says how, `state` (READY and the like) whether
    it is here, and whether it has the voice prepared."""

    label: str
    way: str
    state: str
    is_here: bool
    speaks_language: bool = True


@dataclass(frozen=True)
class VoiceSheet:
    """What is known of a voice. `origin` and `likeness` are names and values for people, `words`
    what is said in its recording, `size_bytes` that of its own files. `packed`: the file that a
    trained voice was exported to, if it was."""

    card: VoiceCard
    recordings: tuple[Recording, ...]
    words: str
    consent: Consent | None
    likeness: Mapping[str, str]
    origin: Mapping[str, str]
    engines: tuple[EngineUse, ...]
    size_bytes: int
    takes: int
    packed: Path | None = None


def describe_voice(services: Services, key: str) -> VoiceSheet:
    """Raises NotFoundError."""
    card = find_card(services, key)
    sample = find_sample(services, card) if card.kind in (SAMPLE, DESIGNED) else None
    similarities, takes = _of_takes(services, card)
    return VoiceSheet(
        card=card,
        recordings=tuple(_recordings(services, card)),
        words=sample.ref_text if sample else "",
        consent=sample.consent if sample else None,
        likeness={**_of_prompt(services, card, sample), **similarities},
        origin=_origin(services, card, sample),
        engines=tuple(_engines(services, card, sample)),
        size_bytes=sum(_size(path) for path in _files(services, card)),
        takes=takes,
        packed=_packed(services, card),
    )


def packed_voice(services: Services, key: str, suffix: str = SUFFIX) -> Path:
    """The exported file of a trained voice. Raises NotFoundError where it was not exported."""
    found = _packed(services, find_card(services, key))
    if found is None or found.suffix != suffix:
        raise NotFoundError(_("This voice is not exported yet."), _("Press Export first."))
    return found


def _recordings(services: Services, card: VoiceCard) -> Iterable[Recording]:
    for number, path in enumerate(recordings_of(services, card)):
        try:
            speech = read_speech(path)
        except StudioError:  # somebody's own file in the folder of a model
            continue
        yield Recording(number, path.name, speech.duration_s, speech.sample_rate_hz, _size(path))


def _of_prompt(services: Services, card: VoiceCard, sample: Sample | None) -> dict[str, str]:
    """How near a matched voice is to the sample, as far as the engine measured it."""
    prompt = (
        services.tts.prepared_voice(card.model_id, sample) if sample and card.model_id else None
    )
    if prompt is None:
        return {}
    about = prompt.info
    is_refined = bool(about.get("refined", True))
    matched = about.get("matched_similarity")
    figures = {
        _("Its nearest stock voice"): about.get("start_similarity"),
        _("Matched at once"): matched,
        _("Matched, expected"): about.get("expected_similarity") if matched is None else None,
        _("Refined"): about.get("held_out_similarity") if is_refined else None,
    }
    measured = {
        name: _("{value:.2f}", value=value) for name, value in figures.items() if _is_number(value)
    }
    same = about.get("self_similarity")
    return (
        {**measured, _("The same speaker"): _("{value:.2f}", value=same)}
        if measured and same
        else measured
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _of_takes(services: Services, card: VoiceCard) -> tuple[dict[str, str], int]:
    """What was measured of the takes in this voice, and how many there are of those looked at."""
    kind = "sample" if card.kind in (SAMPLE, DESIGNED) else "preset"
    wanted = TakeFilter(kind=kind, voice=card.voice)
    found = services.takes.list(_MOST_TAKES, wanted=wanted) if card.voice else ()
    if kind == "preset":  # models may have voices of the same name
        found = tuple(take for take in found if take.model_id == card.model_id)
    measured = [take.scores.similarity for take in found if take.scores.similarity is not None]
    if not measured:
        return {}, len(found)
    words = _(
        "{best:.2f} at best, {average:.2f} on average",
        best=max(measured),
        average=sum(measured) / len(measured),
    )
    count = len(measured)
    name = _("Of {count} takes", count=count) if count > 1 else _("Of one take")
    return {name: words}, len(found)


def _origin(services: Services, card: VoiceCard, sample: Sample | None) -> dict[str, str]:
    if card.kind == TRAINED:
        model = find_tuned(services, card)
        base = model.base_model
        return {
            _("Fine-tuned from"): model_label(services.tts, base) if base else "",
            **card_facts(model),
        }
    if sample is None:
        licence = services.tts.entry(card.model_id).licence
        made = {STOCK: _("It comes with the model."), MIXED: card.about}[card.kind]
        return {_("Made from"): made, _("Licence of the model"): licence.name}
    if card.kind == DESIGNED:
        design = sample.info["design"]
        return {
            _("Made from"): _("a description"),
            _("Description"): str(design.get("description", "")),
            _("Designed with"): model_label(services.tts, str(design.get("model", ""))),
            _("Seed"): str(design.get("seed", "")),
        }
    if voice_cards.is_synthetic(sample):
        return {_("Made from"): _("It was spoken by the studio itself.")}
    if source := sample.info.get(CLEANED_FROM):
        return {_("Made from"): str(source), _("Changed"): what_changed(sample)}
    return {_("Made from"): _("a recording"), _("File"): str(sample.info.get("original_name", ""))}


def _engines(services: Services, card: VoiceCard, sample: Sample | None) -> Iterable[EngineUse]:
    if sample is None:
        entry = services.tts.entry(card.model_id)
        is_here = services.tts.available(card.model_id)
        yield EngineUse(entry.label, _("its own voice"), READY if is_here else NOT_HERE, is_here)
        return
    entries = [services.tts.entry(model_id) for model_id in services.tts.engine_ids()]
    cloning = [
        entry
        for entry in entries
        if can_clone(entry) and services.tts.tuned_model(entry.id) is None
    ]
    here = [entry for entry in cloning if services.tts.available(entry.id)]
    yield from (_use_of_sample(services, entry, sample) for entry in here)
    # Of the others the first of each family, as the catalog ranks them.
    families = {entry.family for entry in here}
    for entry in sorted((entry for entry in cloning if entry.rank), key=lambda entry: entry.rank):
        use = _use_of_sample(services, entry, sample)
        if entry.family not in families and use.speaks_language:
            families.add(entry.family)
            yield use


def _use_of_sample(services: Services, entry: ModelEntry, sample: Sample) -> EngineUse:
    is_here = services.tts.available(entry.id)
    state = NOT_INSTALLED
    if is_here:
        is_prepared = services.tts.prepared_voice(entry.id, sample) is not None
        state = PREPARED if is_prepared else NOT_PREPARED
    way = _("voice match") if is_voice_match(entry) else _("clones it")
    speaks = not sample.language or not entry.languages
    speaks = speaks or bool(match_language(sample.language, entry.languages))
    if not speaks:
        way += _(", does not speak {language}", language=language_name(sample.language))
    return EngineUse(entry.label, way, state, is_here, speaks)


def _files(services: Services, card: VoiceCard) -> Iterable[Path]:
    if card.kind == TRAINED:
        return find_tuned(services, card).folder.glob("*")
    if card.kind == MIXED:
        audio = services.voices.get(card.voice).path
    elif card.kind == STOCK:
        return ()
    else:
        audio = services.samples.get(card.voice).path
    return (audio, audio.with_suffix(".json"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _packed(services: Services, card: VoiceCard) -> Path | None:
    """The exported file of a trained voice, unless the model was changed since."""
    if card.kind != TRAINED:
        return None
    model = find_tuned(services, card)
    packed = services.exports_folder / f"{model.name}{SUFFIX}"
    if not packed.is_file():
        return None
    changed = max((path.stat().st_mtime for path in model.folder.glob("*")), default=0.0)
    return packed if packed.stat().st_mtime >= changed else None
