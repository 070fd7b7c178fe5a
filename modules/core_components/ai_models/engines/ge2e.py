"""The GE2E speaker encoder as an engine handle. The network is apart: it imports torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.base import EngineContext
from modules.core_components.ai_models.model_pool import ModelSpec
from modules.core_components.ai_models.model_utils import module_bytes, seeded
from modules.core_components.progress import CancelToken
from modules.core_components.values import FloatArray, Speech

if TYPE_CHECKING:
    from modules.core_components.ai_models.engines.speaker_encoder import SpeakerEncoder

REQUIRED_PACKAGES = ("torch", "soxr")
WEIGHTS = "pretrained.pt"


def create(entry: ModelEntry, context: EngineContext) -> SpeakerEncoderHandle:
    """The engine factory of the catalog."""
    return SpeakerEncoderHandle(entry, context)


@dataclass(frozen=True)
class SpeakerEncoderHandle:
    """A handle on the GE2E encoder; leases it for each call."""

    entry: ModelEntry
    context: EngineContext
    configurable: tuple[str, ...] = ()

    def embed(self, speech: Speech) -> FloatArray:
        """The speaker's embedding, float32 [256] of unit length; a dot product compares two.

        Raises StudioError for silence or less than 0.2 s.
        """
        with self.borrowed() as encoder:
            return encoder.embed(speech.samples, speech.sample_rate_hz)

    def load(self, cancel: CancelToken | None = None) -> None:
        """Loads the weights, so that the next comparison starts at once."""
        with self.borrowed(cancel):
            return

    @contextmanager
    def borrowed(self, cancel: CancelToken | None = None) -> Iterator[SpeakerEncoder]:
        """The module itself with a run slot, for work that needs its gradient."""
        holder = "comparing voices"
        with self.context.pool.lease(self.model_spec(), cancel, holder, run=True) as encoder:
            yield encoder

    def model_spec(self) -> ModelSpec[SpeakerEncoder]:
        """The weights, for the pool."""
        device = self.context.device

        def load() -> SpeakerEncoder:
            from modules.core_components.ai_models.engines.speaker_encoder import (
                load_speaker_encoder,
            )

            weights = self.context.ensure_model(self.entry.id) / WEIGHTS
            # A new LSTM draws random weights, which must not disturb the seed of running speech.
            with seeded(0):
                return load_speaker_encoder(weights, device)

        return self.context.model_spec(
            self.entry,
            self.context.catalog.revision(self.entry),
            "float32",
            load=load,
            to_host=lambda encoder: encoder.to("cpu"),
            to_device=lambda encoder: encoder.to(device),
            measure=module_bytes,
        )
