"""Speaker encoders as engine handles. The networks are apart: they import torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.listening_network import TorchModule, listening_spec
from modules.core_components.ai_models.model_pool import ModelSpec
from modules.core_components.progress import CancelToken
from modules.core_components.speaker_scale import SPEAKER_ENCODERS
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Speech


class SpeakerNetwork(TorchModule, Protocol):
    """What the handle needs of a network."""

    def embed(self, samples: FloatArray, sample_rate_hz: int) -> FloatArray:
        """The embedding of mono speech, float32 of unit length."""


NetworkT = TypeVar("NetworkT", bound=SpeakerNetwork)


def find_speaker_encoder(context: EngineContext) -> SpeakerEncoderHandle[Any]:
    """The preferred speaker encoder of those that are installed; it need not be loaded.

    Without any it is the preferred one, whose first call raises ModelMissingError.
    """
    catalog = context.catalog
    installed = (
        name for name in SPEAKER_ENCODERS if catalog.state(catalog.entry(name)) == "installed"
    )
    handle: SpeakerEncoderHandle[Any] = context.engine(next(installed, SPEAKER_ENCODERS[0]))
    return handle


@dataclass(frozen=True)
class SpeakerEncoderHandle(Generic[NetworkT]):
    """A handle on a speaker encoder; leases it for each call.

    `weights` is the name of the file that `load_network` reads for a device.
    """

    entry: ModelEntry
    context: EngineContext
    weights: str
    load_network: Callable[[Path, str], NetworkT]
    configurable: tuple[str, ...] = ()

    @property
    def model_id(self) -> str:
        return self.entry.id

    def embed(self, speech: Speech) -> FloatArray:
        """The speaker's embedding, float32 of unit length; a dot product compares two.

        Raises StudioError for silence or less than 0.2 s.
        """
        with self.borrowed() as encoder:
            return encoder.embed(speech.samples, speech.sample_rate_hz)

    def load(self, cancel: CancelToken | None = None) -> None:
        """Loads the weights, so that the next comparison starts at once."""
        with self.borrowed(cancel):
            return

    @contextmanager
    def borrowed(self, cancel: CancelToken | None = None) -> Iterator[NetworkT]:
        """The module itself with a run slot, for work that needs its gradient."""
        holder = _("comparing voices")
        with self.context.pool.lease(self.model_spec(), cancel, holder, run=True) as encoder:
            yield encoder

    def model_spec(self) -> ModelSpec[NetworkT]:
        """The weights, for the pool."""
        return listening_spec(self.context, self.entry, self.weights, self.load_network)
