"""The first steps of a new user: hear a voice, use one's own, see what this machine can do.

They are offered where nothing was ever made, until then or until they are dismissed.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from modules.core_components.ai_models.model_pool.budgets import total_memory_bytes
from modules.core_components.progress import CancelToken
from modules.core_components.settings import ALWAYS, NEVER
from modules.core_components.version import computing_environment
from modules.tools.models.fallback import choose_speaking_model
from modules.tools.models.ready_models import has_stock_voices, speaking_models
from modules.tools.models.recommendation import Recommendation, recommend
from modules.tools.services import Services
from modules.tools.settings_fields import change_settings
from modules.tools.speaking.request import SpeechRequest
from modules.tools.voices.preset_voices import preset_voices, usual_language
from modules.tools.voices.previews import example_sentence
from modules.tools.voices.samples import is_demo_sample

_SETTING = "first_steps"
# Kokoro's best voice by the makers' own grades.
_BEST_VOICE = "af_heart"
_PROCESSORS = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Machine:
    """What the studio computes on. `gpu` is "" where there is none that it can use."""

    processor: str
    cores: int
    memory_bytes: int
    gpu: str


@dataclass(frozen=True)
class FirstVoice:
    """A stock voice, and a sentence to hear it by."""

    model_id: str
    name: str
    label: str
    language: str
    sentence: str

    def request(self, score: bool) -> SpeechRequest:
        """A request to speak the sentence."""
        return SpeechRequest(
            text=self.sentence,
            voice=self.name,
            kind="preset",
            engine=self.model_id,
            language=self.language,
            score=score,
        )


def first_steps_wanted(services: Services) -> bool:
    """Whether to offer them: as the settings say, by default while nothing was made."""
    wanted = services.settings.first_steps
    return wanted == ALWAYS or (wanted != NEVER and not something_was_made(services))


def something_was_made(services: Services) -> bool:
    """Whether there are takes or voices of the user's own, or were: the trash counts."""
    samples = services.samples
    return bool(
        services.takes.count()
        or services.takes.trash.ids()
        or any(not is_demo_sample(sample) for sample in samples.list())
        or samples.trash.ids()
        or services.voices.list()
        or services.tuned_models.list()
    )


def dismiss_first_steps(services: Services) -> None:
    """They are not offered any more. Raises DiskFullError."""
    change_settings(services, {_SETTING: NEVER})


def show_first_steps_again(services: Services) -> None:
    """They are offered until they are dismissed. Raises DiskFullError."""
    change_settings(services, {_SETTING: ALWAYS})


def first_voice(services: Services) -> FirstVoice | None:
    """A stock voice of the usual model, in the usual language if it has one; None without any."""
    usual = choose_speaking_model(services).model_id
    models = [entry.id for entry in speaking_models(services) if has_stock_voices(entry)]
    model_id = usual if usual in models else next(iter(models), "")
    if not model_id:
        return None
    engine = services.tts.get(model_id)
    language = usual_language(services, engine)
    voices = preset_voices(services, engine)
    fitting = [voice for voice in voices if voice.language in ("", language)] or list(voices)
    best = [voice for voice in fitting if voice.name == _BEST_VOICE] or fitting
    if not best:
        return None
    voice = best[0]
    spoken = voice.language or language
    return FirstVoice(model_id, voice.name, voice.label, spoken, example_sentence(spoken))


def this_machine() -> Machine:
    """Processor, memory and GPU, without measuring anything."""
    import psutil

    environment = computing_environment()
    return Machine(
        processor=_processor_name(),
        cores=psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        memory_bytes=total_memory_bytes(),
        gpu=environment["gpu"],
    )


def recommended_engine(
    services: Services, cancel: CancelToken | None = None
) -> Recommendation | None:
    """The engine that clones best here, now or after a download; the hub is not asked for it."""
    return next(iter(recommend(services, cancel=cancel, ask_hub=False)), None)


def _processor_name() -> str:
    """As its maker calls it, where the system says so."""
    try:
        for line in _PROCESSORS.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    except OSError:  # another system than Linux
        pass
    return platform.processor() or platform.machine()
