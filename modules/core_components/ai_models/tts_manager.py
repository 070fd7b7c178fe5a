"""`TTSManager`: the models that speak."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.base_manager import Availability, BaseManager
from modules.core_components.ai_models.catalog import Licence, ModelEntry
from modules.core_components.ai_models.engines.base import RefiningEngine, TTSEngine
from modules.core_components.ai_models.engines.qwen3_tts.engine import Qwen3TTSEngine
from modules.core_components.ai_models.engines.qwen3_tts.package_calls import (
    item_of_prompt,
    prompt_of_item,
)
from modules.core_components.ai_models.engines.registry import EngineSpec
from modules.core_components.ai_models.engines.xtts.checkpoint import check_files_present
from modules.core_components.ai_models.engines.xtts.tuned import (
    entry_of,
    factory_of,
    model_id_of,
)
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.errors import BadInputError, DiskFullError
from modules.core_components.library.names import safe_stem
from modules.core_components.library.tuned_models import (
    TunedModel,
    TunedModelLibrary,
    read_tuned_model,
)
from modules.core_components.progress import CancelToken, Progress, SharedWork, no_progress
from modules.core_components.settings import Settings
from modules.core_components.texts import _
from modules.core_components.values import Sample, VoicePrompt

logger = logging.getLogger(__name__)

# What every fine-tuned XTTS inherits its licence from.
_XTTS = "xtts-v2.0.3"
_VIBEVOICE_SIZES = {"small": "1.5b", "large (4-bit)": "large-4bit"}


class TTSManager(BaseManager):
    """Handles on the speaking engines, and the prepared voices for them.

    The getters name models as people do and return engine handles: small values that borrow the
    weights for each call. All raise as `get` does.
    """

    task = "text-to-speech"

    def __init__(
        self,
        settings: Settings,
        pool: ModelPool | None = None,
        catalog_file: Path | None = None,
    ) -> None:
        self._opened: dict[str, TunedModel] = {}
        super().__init__(settings, pool, catalog_file)
        self._preparing: SharedWork[VoicePrompt] = SharedWork()

    def configure(self, settings: Settings) -> None:
        with self._lock:
            super().configure(settings)
            self.tuned_models = TunedModelLibrary(settings.finetune_folder)
            self._tuned: dict[str, TunedModel] = {}

    def get(self, model_id: str) -> TTSEngine:
        self._look_for_tuned_models()
        engine: TTSEngine = super().get(model_id)
        return engine

    def engine_ids(self) -> tuple[str, ...]:
        self._look_for_tuned_models()
        return super().engine_ids()

    def entry(self, model_id: str) -> ModelEntry:
        self._look_for_tuned_models()
        return super().entry(model_id)

    def availability(self, model_id: str) -> Availability:
        self._look_for_tuned_models()
        return super().availability(model_id)

    def tuned_model(self, model_id: str) -> TunedModel | None:
        """The fine-tuned model behind a model id; None for those of the catalog."""
        self._look_for_tuned_models()
        return self._tuned.get(model_id)

    def get_kokoro(self, version: str = "v1.0") -> TTSEngine:
        """`version` is "v1.0" or "v0.19"."""
        return self.get(f"kokoro-{version}")

    def get_xtts(self, version_or_path: str | Path = "v2.0.3") -> TTSEngine:
        """`version_or_path` is "v2.0.0" to "v2.0.3", the name of a fine-tuned model, or the
        folder of one, wherever it lies.

        Raises ModelMissingError for a folder without the files of a model.
        """
        folder = Path(version_or_path)
        if not isinstance(version_or_path, Path) and not folder.is_dir():
            return self.get(f"xtts-{version_or_path}")
        folder = folder.resolve()
        check_files_present(folder)
        model = read_tuned_model(folder)
        if folder.parent != self.tuned_models.folder:
            # Folders elsewhere may have any name: their path identifies them.
            mark = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
            model = dataclasses.replace(model, name=f"{safe_stem(folder.name)}-{mark}")
            with self._lock:
                self._opened[model_id_of(model)] = model
        return self.get(model_id_of(model))

    def get_qwen3_base(self, size: str = "1.7B") -> Qwen3TTSEngine:
        """Takes the voice of a sample; `size` is "0.6B" or "1.7B"."""
        engine: Qwen3TTSEngine = super().get(f"qwen3-tts-{size.lower()}-base")
        return engine

    def get_qwen3_custom_voice(self, size: str = "1.7B") -> Qwen3TTSEngine:
        """Has speakers of its own, in any style; `size` is "0.6B" or "1.7B"."""
        engine: Qwen3TTSEngine = super().get(f"qwen3-tts-{size.lower()}-custom-voice")
        return engine

    def get_qwen3_voice_design(self) -> Qwen3TTSEngine:
        """Makes a voice from a description."""
        engine: Qwen3TTSEngine = super().get("qwen3-tts-1.7b-voice-design")
        return engine

    def get_vibevoice_tts(self, size: str = "1.5B") -> TTSEngine:
        """`size` is "1.5B" ("Small"), "Large" or "Large (4-bit)"."""
        name = size.lower()
        return self.get(f"vibevoice-{_VIBEVOICE_SIZES.get(name, name)}")

    def prepare_voice(
        self,
        model_id: str,
        sample: Sample,
        progress: Progress = no_progress,
        cancel: CancelToken | None = None,
    ) -> tuple[VoicePrompt, bool]:
        """The engine's form of a sample, and whether it was there already (or being made).

        The refined one where there is one. Other callers for the same voice wait and share the
        result; a caller that cancels stops only itself. Raises BadInputError for an engine that
        cannot clone, JobCancelled, and what the engine raises.
        """
        engine = self._cloning_engine(model_id)
        refined = self.refined_voice(model_id, sample)
        if refined is not None:
            return refined, True
        key = self._prompt_key(engine, sample)
        return self._make_prompt(key, engine.prepare_voice, sample, progress, cancel)

    def refine_voice(
        self,
        model_id: str,
        sample: Sample,
        progress: Progress = no_progress,
        cancel: CancelToken | None = None,
    ) -> tuple[VoicePrompt, bool]:
        """As `prepare_voice`, but the best that the engine can make of the sample, in minutes.

        With an engine whose prompts are not refined (see `RefiningEngine`) it is the same.
        """
        engine = self._cloning_engine(model_id)
        if not isinstance(engine, RefiningEngine):
            return self.prepare_voice(model_id, sample, progress, cancel)
        key = self._prompt_key(engine, sample, refined=True)
        return self._make_prompt(key, engine.refine_voice, sample, progress, cancel)

    def voice_of_key(
        self,
        model_id: str,
        sample: Sample,
        key: str,
        progress: Progress = no_progress,
        cancel: CancelToken | None = None,
    ) -> VoicePrompt:
        """The prompt of a sample that has this key, made anew where it is not kept any more.

        The present one where no prompt of the sample can have it: its words, the model or the
        parameters were changed since. Raises as `prepare_voice`.
        """
        engine = self._cloning_engine(model_id)
        kept = self.prompts.get(key)
        if kept is not None:
            return kept
        if isinstance(engine, RefiningEngine):
            if key == self._prompt_key(engine, sample, refined=True):
                return self.refine_voice(model_id, sample, progress, cancel)[0]
            if key == self._prompt_key(engine, sample):
                return self._make_prompt(key, engine.prepare_voice, sample, progress, cancel)[0]
        return self.prepare_voice(model_id, sample, progress, cancel)[0]

    def prepared_voice(self, model_id: str, sample: Sample) -> VoicePrompt | None:
        """What `prepare_voice` would give at once; None when it would have to work."""
        engine = self.get(model_id)
        if not engine.can_clone:
            return None
        refined = self.refined_voice(model_id, sample)
        return refined or self.prompts.get(self._prompt_key(engine, sample))

    def refined_voice(self, model_id: str, sample: Sample) -> VoicePrompt | None:
        """What `refine_voice` made of a sample before; None also where nothing can be refined."""
        engine = self.get(model_id)
        if not engine.can_clone or not isinstance(engine, RefiningEngine):
            return None
        return self.prompts.get(self._prompt_key(engine, sample, refined=True))

    def can_refine(self, model_id: str) -> bool:
        """Whether the model's prepared voices become better by `refine_voice`."""
        engine = self.get(model_id)
        return engine.can_clone and isinstance(engine, RefiningEngine)

    def _cloning_engine(self, model_id: str) -> TTSEngine:
        engine = self.get(model_id)
        if not engine.can_clone:
            raise BadInputError(
                _("{label} cannot take the voice of a sample.", label=engine.label),
                _("Choose an engine that can."),
            )
        return engine

    def _make_prompt(
        self,
        key: str,
        work: Callable[[Sample, Progress, CancelToken], VoicePrompt],
        sample: Sample,
        progress: Progress,
        cancel: CancelToken | None,
    ) -> tuple[VoicePrompt, bool]:
        """The prompt of that key, and whether it was there or another caller made it."""
        token = cancel or CancelToken()
        made: list[VoicePrompt] = []

        def make(report: Progress) -> VoicePrompt:
            found = self.prompts.get(key)  # another may have finished it just now
            if found is not None:
                return found
            made.append(dataclasses.replace(work(sample, report, token), key=key))
            self._keep(made[0])
            return made[0]

        prompt = self.prompts.get(key) or self._preparing.run(key, make, progress, token)
        return prompt, not made

    def _look_for_tuned_models(self) -> None:
        """Those that came, changed or went since, also by another process's doing."""
        with self._lock:
            found = {model_id_of(model): model for model in self.tuned_models.list()}
            found.update({i: m for i, m in self._opened.items() if m.folder.is_dir()})
            if found == self._tuned:
                return
            for model_id, model in self._tuned.items():
                if found.get(model_id) != model:
                    self._registry.remove(model_id)
                    self._handles.pop(model_id, None)
            for model_id, model in found.items():
                if self._tuned.get(model_id) != model:
                    entry = entry_of(model, self._xtts_licence)
                    self._registry.add(EngineSpec(entry, factory_of(model.folder)))
            self._tuned = found

    @property
    def _xtts_licence(self) -> Licence:
        return self.catalog.entry(_XTTS).licence

    def compute_sample_hash(self, wav_path: str | Path, ref_text: str) -> str:
        """SHA-256 of a recording's file and of its words, for the two below."""
        digest = hashlib.sha256(Path(wav_path).read_bytes())
        digest.update(b"\0" + ref_text.strip().encode("utf-8"))
        return digest.hexdigest()

    def load_voice_prompt(
        self, sample_name: str, sample_hash: str, model_size: str = "1.7B"
    ) -> list[Any] | None:
        """What `save_voice_prompt` kept, as Qwen3-TTS Base takes it; None for another hash, size
        or revision of the model. `sample_name` is for people: the hash says which sample it is."""
        prompt = self.prompts.get(self._named_key(sample_hash, model_size))
        if prompt is None:
            logger.info("No prepared voice of %s for %s", sample_name, model_size)
            return None
        return [item_of_prompt(prompt)]

    def save_voice_prompt(
        self, sample_name: str, prompt: Sequence[Any], sample_hash: str, model_size: str = "1.7B"
    ) -> bool:
        """Keeps what `create_voice_clone_prompt` of Qwen3-TTS Base made of one recording.

        False where the disk is full: then it is kept in memory only. Raises BadInputError for more
        than one.
        """
        if len(prompt) != 1:
            raise BadInputError(_("A prompt of one recording is kept at a time."))
        engine = self.get_qwen3_base(model_size)
        key = self._named_key(sample_hash, model_size)
        made = prompt_of_item(prompt[0], key, engine.model_id, engine.model_revision)
        return self._keep(dataclasses.replace(made, info={**made.info, "sample": sample_name}))

    def _named_key(self, sample_hash: str, model_size: str) -> str:
        engine = self.get_qwen3_base(model_size)
        parameters = engine.prompt_parameters()
        return self.prompts.key_of_recording(
            sample_hash, engine.model_id, engine.model_revision, parameters
        )

    def _prompt_key(self, engine: TTSEngine, sample: Sample, refined: bool = False) -> str:
        family = self.entry(engine.model_id).family
        if refined and isinstance(engine, RefiningEngine):
            parameters = engine.refining_parameters()
        else:
            parameters = engine.prompt_parameters()
        return self.prompts.key(sample, family, engine.model_id, engine.model_revision, parameters)

    def _keep(self, prompt: VoicePrompt) -> bool:
        """A full disk must not cost a voice that took minutes: it stays in memory then (False)."""
        try:
            self.prompts.put(prompt)
        except (DiskFullError, OSError) as error:
            logger.warning("The prepared voice is kept in memory only: %s", error)
            return False
        return True
