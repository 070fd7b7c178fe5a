"""Which engines can take a sample's voice on this machine, best first."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from modules.core_components.ai_models.catalog import Licence, ModelEntry
from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken
from modules.core_components.remotes import remote_of
from modules.core_components.text.language_codes import match_language
from modules.core_components.text.languages import language_name, languages_in_words
from modules.core_components.texts import _, mark
from modules.core_components.units import size_text
from modules.tools.models.memory import load_plan, smaller_sizes
from modules.tools.models.ready_models import can_clone, is_voice_match
from modules.tools.models.speed import Speed, SpeedsHere
from modules.tools.services import Services

CLONE, MATCH = "clone", "match"
INSTALLED = "installed"
_WORDS = {CLONE: mark("true clone"), MATCH: mark("voice match")}
# A second of speech may take so many seconds to keep up with the listener, or to be worth the wait:
# a slower clone comes after the voice match.
_KEEPS_UP, _WORTH_THE_WAIT = 1.0, 4.0
_NO_RANK = 99


@dataclass(frozen=True)
class Recommendation:
    """An engine that can take the voice of a sample, and what it takes to use it here.

    `way` is CLONE or MATCH; `state` "installed", "partial" or "missing"; `download_bytes` what is
    still to come, about. `needs_token`: the hub gives the files for an access token only, and none
    is saved. `problem` says why the engine cannot be used now, and `hint` what to do; "" where it
    can be, after `needs_acceptance`, `needs_token` and the download.
    """

    model_id: str
    label: str
    way: str
    state: str
    download_bytes: int
    licence: Licence
    needs_acceptance: bool
    needs_token: bool
    languages: tuple[str, ...]
    language: str
    speaks_language: bool
    device: str = ""
    memory_bytes: int = 0
    speed: Speed | None = None
    problem: str = ""
    hint: str = ""

    @property
    def is_installed(self) -> bool:
        return self.state == INSTALLED

    @property
    def facts(self) -> tuple[str, ...]:
        """The line that describes it: way, place, licence, speed, languages."""
        place = _("on another machine") if remote_of(self.model_id) else _("on this machine")
        if not self.is_installed:
            size = size_text(self.download_bytes)
            place = (
                _("the rest of a download of {size}", size=size)
                if self.state == "partial"
                else _("a download of {size}", size=size)
            )
        licence = self.licence.name
        if not self.licence.commercial:
            licence = _("{licence} (non-commercial)", licence=licence)
        speed = self.speed.in_words() if self.speed else _("speed not known yet")
        return _(_WORDS[self.way]), place, licence, speed, self._languages_in_words()

    def _languages_in_words(self) -> str:
        words = languages_in_words(self.languages, most=3) or _("any language")
        return (
            words
            if self.speaks_language
            else _(
                "{languages}, not {language}",
                languages=words,
                language=language_name(self.language),
            )
        )


def recommend(
    services: Services,
    sample: str = "",
    cancel: CancelToken | None = None,
    ask_hub: bool = True,
) -> tuple[Recommendation, ...]:
    """The engines that can take the voice of a sample ("": of any, in the language of the
    settings): all that are installed, and the best download of each family.

    First those that can be used now or after a download, and of these, in this order: those that
    speak the language of the sample; true clones that keep up with the listener; slower ones that
    are worth the wait; the voice match; clones that take longer. Then those that are installed;
    then the order of the catalog, or, among those that do not keep up, the faster ones.

    Asks the hub whether it is there, unless the studio is offline or `ask_hub` is False, and
    measures this machine once.
    Raises NotFoundError for an unknown sample.
    """
    language = services.samples.voice(sample).language if sample else ""
    language = language or services.settings.language
    speeds = SpeedsHere(services, cancel)
    found = [
        (_look_at(services, entry, language, speeds, cancel, ask_hub), entry)
        for entry in _candidates(services)
    ]
    found.sort(key=lambda pair: _place(*pair))
    return tuple(_one_download_a_family(found))


def _candidates(services: Services) -> Iterable[ModelEntry]:
    """Models that can clone: those here, and those that the catalog ranks. A fine-tuned one is for
    the voice it was trained on."""
    for model_id in services.tts.engine_ids():
        entry = services.tts.entry(model_id)
        if not can_clone(entry) or services.tts.tuned_model(model_id) is not None:
            continue
        if entry.rank or services.tts.available(model_id):
            yield entry


def _look_at(
    services: Services,
    entry: ModelEntry,
    language: str,
    speeds: SpeedsHere,
    cancel: CancelToken | None,
    ask_hub: bool,
) -> Recommendation:
    availability = services.tts.availability(entry.id)
    in_catalog = bool(entry.sources)
    found = Recommendation(
        model_id=entry.id,
        label=entry.label,
        way=MATCH if is_voice_match(entry) else CLONE,
        state=services.catalog.state(entry) if in_catalog else INSTALLED,
        download_bytes=entry.download_bytes if in_catalog and not availability.ready else 0,
        licence=entry.licence,
        needs_acceptance=in_catalog and services.downloader.needs_consent(entry.id),
        needs_token=in_catalog and services.downloader.needs_token(entry.id),
        languages=entry.languages,
        language=language,
        speaks_language=not entry.languages or bool(match_language(language, entry.languages)),
        device=services.tts.context_of(entry.id).device_preference,
        memory_bytes=entry.memory_mb * 1_000_000,
    )
    if availability.state not in ("ready", "not downloaded"):
        return replace(found, problem=availability.message, hint=availability.hint)
    try:
        plan = load_plan(services, entry.id)
        if plan is not None:
            found = replace(found, device=plan.device, memory_bytes=plan.nbytes)
            found = replace(found, speed=speeds.of(entry, plan.device))
            if not plan.fits:
                smaller = ", ".join(smaller_sizes(services, entry.id))
                hint = _("These would fit: {smaller}.", smaller=smaller) if smaller else ""
                return replace(found, problem=plan.in_words(), hint=hint)
        if ask_hub and not found.is_installed:
            services.downloader.check(entry.id, cancel)
    except StudioError as error:
        return replace(found, problem=error.message, hint=error.hint)
    return found


def _place(found: Recommendation, entry: ModelEntry) -> tuple[object, ...]:
    """What the list is sorted by, see `recommend`."""
    unknown = math.inf if found.problem else _WORTH_THE_WAIT
    factor = found.speed.real_time_factor if found.speed else unknown
    if found.way == MATCH:
        pace = 2
    else:
        pace = 0 if factor <= _KEEPS_UP else 1 if factor <= _WORTH_THE_WAIT else 3
    # Where all keep up, the better one; where one has to wait, the faster one.
    own = entry.rank or _NO_RANK
    rank = (factor, own) if pace in (1, 3) else (own, 0.0)
    return bool(found.problem), not found.speaks_language, pace, not found.is_installed, rank


def _one_download_a_family(
    found: Iterable[tuple[Recommendation, ModelEntry]],
) -> Iterable[Recommendation]:
    families = set()
    for one, entry in found:
        if one.is_installed or entry.family not in families:
            yield one
        if not one.is_installed:
            families.add(entry.family)
