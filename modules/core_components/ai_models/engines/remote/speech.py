"""A model of a remote that speaks, as an engine: nothing is loaded here, texts go to the remote.

Texts go to the other machine, and with a cloning model the recording of the sample: only when
something is spoken, never when a voice is prepared. The other machine reads numbers and
abbreviations in its own way, so the front end of this studio leaves texts as they are.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.options import option
from modules.core_components.ai_models.engines.remote.connection import Call, Connection
from modules.core_components.ai_models.engines.remote.health import RemoteHealth
from modules.core_components.ai_models.engines.remote.wav_stream import NotWavError, WavStream
from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from modules.core_components.audio.encode import encode_speech
from modules.core_components.audio.files import read_speech
from modules.core_components.audio.resample import StreamResampler
from modules.core_components.errors import BadInputError, RemoteError
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.remotes import REMOTE_FAMILY, RemoteModel
from modules.core_components.text.languages import language_name
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Sample, Speech, VoicePrompt

SAMPLE_RATE_HZ = 24_000
# Of servers that do not say which languages they speak: those that models of 2026 have in common.
USUAL_LANGUAGES = (
    *("en", "es", "fr", "de", "it", "pt", "pl", "tr", "ru", "nl", "cs", "ar", "zh", "ja", "ko"),
    *("hu", "hi", "uk", "sv", "da", "fi", "nb", "el", "ro", "he", "id", "vi", "th"),
)
# What OpenAI's own API has; its voices cannot be listed.
OPENAI_VOICES = (
    *("alloy", "ash", "ballad", "coral", "echo", "fable", "marin", "cedar", "nova", "onyx"),
    *("sage", "shimmer", "verse"),
)
_LONGEST_SAMPLE_S = 30.0
_PROMPT_VERSION = 1
_PIECE_S = 0.1
# The most sound that a text can have: a slow reader needs a tenth of a second for a character.
_LEAST_S, _SECONDS_A_CHARACTER = 60.0, 0.5
# Of the largest format that is read: 48 kHz, two channels of 32 bits.
_BYTES_A_SECOND = 48_000 * 2 * 4


@dataclass(frozen=True)
class RemoteSpeechOptions:
    """What can be asked of a remote; it decides what it makes of it."""

    language: str = option("en", "Language", "The language the text is written in.")
    speed: float = option(
        1.0, "Speed", "Where the other machine's model can change it.",
        minimum=0.25, maximum=4.0, step=0.05,
    )  # fmt: skip
    instructions: str = option(
        "", "Manner", "How to speak, in words, for models that take it: slowly, with joy."
    )
    seed: int = option(
        0, "Seed", "The same seed gives the same sound where the other machine keeps to it.",
        minimum=0, maximum=2**31 - 1, step=1,
    )  # fmt: skip


class RemoteSpeaker:
    """A handle on a speaking model of a remote (see `TTSEngine`); it leases nothing."""

    sample_rate_hz = SAMPLE_RATE_HZ
    precision = "remote"
    options_type = RemoteSpeechOptions
    # What the model there is now is not known: a take may sound different when it is made again.
    model_revision = "remote"

    def __init__(
        self, entry: ModelEntry, context: EngineContext, connection: Connection, model: str
    ) -> None:
        self.model_id = entry.id
        self.label = entry.label
        self.languages = tuple(entry.languages) or USUAL_LANGUAGES
        self.about: RemoteModel = connection.remote.models[model]
        self.can_clone = self.about.clones
        self.health = RemoteHealth()
        self._connection = connection
        self._model = model

    def load(self, cancel: CancelToken | None = None) -> None:
        """Nothing: the other machine loads it at the first request."""

    def voices(self) -> tuple[str, ...]:
        """Those that the remote named when it was asked last."""
        return tuple(self.about.voices)

    def voice_languages(self) -> Mapping[str, str]:
        """The language of each voice, "" where the remote did not say."""
        return self.about.voices

    def prompt_parameters(self) -> Mapping[str, Any]:
        """How much of a sample is sent."""
        return {"version": _PROMPT_VERSION, "longest_s": _LONGEST_SAMPLE_S}

    def prepare_voice(self, sample: Sample, progress: Progress, cancel: CancelToken) -> VoicePrompt:
        """The first 30 seconds of a sample as they will be sent; nothing is sent yet."""
        speech = read_speech(sample.path, SAMPLE_RATE_HZ, cancel=cancel)
        samples = speech.samples[: int(_LONGEST_SAMPLE_S * SAMPLE_RATE_HZ)]
        progress(1.0, _("The voice is prepared"))
        key = VoicePromptStore.key(
            sample, REMOTE_FAMILY, self.model_id, self.model_revision, self.prompt_parameters()
        )
        info = {"language": sample.language, "ref_text": sample.ref_text}
        # A recording that was cut has other words than its text.
        if len(samples) < len(speech.samples):
            info["ref_text"] = ""
        tensors = {"samples": samples}
        return VoicePrompt(key, REMOTE_FAMILY, self.model_id, self.model_revision, tensors, info)

    def stream(
        self,
        text: str,
        voice: VoicePrompt | str,
        options: RemoteSpeechOptions,
        cancel: CancelToken,
    ) -> Iterator[Speech]:
        """The speech as the remote sends it, at 24 kHz. The text is sent when the first piece is
        asked for.

        Raises BadInputError at once for a voice that it does not take; the pieces raise RemoteError
        where the remote does not deliver.
        """
        body = self._body(text, voice, options)
        longest_s = (_LEAST_S + _SECONDS_A_CHARACTER * len(text)) / min(options.speed, 1.0)
        return self._speak(body, longest_s, cancel)

    def _body(
        self, text: str, voice: VoicePrompt | str, options: RemoteSpeechOptions
    ) -> dict[str, Any]:
        kind = self._connection.remote.kind
        body: dict[str, Any] = {"model": self._model, "input": text, "response_format": "wav"}
        if kind == "studio":
            body |= {"stream": True, "language": options.language, "seed": options.seed}
        if kind == "vllm":
            body["language"] = language_name(options.language.partition("-")[0])
        if kind != "vllm" or options.speed == 1.0:  # vLLM-Omni streams at its own speed only
            body["stream_format"] = "audio"
        if options.speed != 1.0:
            body["speed"] = options.speed
        if options.instructions:
            body["instructions"] = options.instructions
        return body | self._voice_fields(voice)

    def _voice_fields(self, voice: VoicePrompt | str) -> dict[str, Any]:
        if isinstance(voice, str):
            if not voice:
                raise BadInputError(
                    _("{label} needs a voice.", label=self.label), _("Choose one."), "voice"
                )
            return {"voice": voice}
        if not self.can_clone:
            raise BadInputError(
                _("{label} cannot clone a voice.", label=self.label),
                _("Choose one of its own voices."),
                "voice",
            )
        if (voice.engine, voice.model_id) != (REMOTE_FAMILY, self.model_id):
            raise BadInputError(
                _(
                    "This voice was prepared for {model_id}, not for {label}.",
                    model_id=voice.model_id or voice.engine,
                    label=self.label,
                ),
                _("Prepare it again."),
                "voice",
            )
        recording = encode_speech(Speech(voice.tensors["samples"], SAMPLE_RATE_HZ), "wav")
        sent: dict[str, Any] = {
            "ref_audio": f"data:audio/wav;base64,{b64encode(recording).decode()}"
        }
        if words := str(voice.info.get("ref_text", "")).strip():
            return {**sent, "ref_text": words}
        return {**sent, "x_vector_only_mode": True}

    def _speak(
        self, body: Mapping[str, Any], longest_s: float, cancel: CancelToken
    ) -> Iterator[Speech]:
        call = Call("/v1/audio/speech", body=body)
        limit_bytes = int(longest_s * _BYTES_A_SECOND)
        wav, resampler = WavStream(), StreamResampler(SAMPLE_RATE_HZ)
        held: list[FloatArray] = []
        spoken_s = 0.0
        with self.health.watched():
            try:
                for content in self._connection.stream(call, cancel, limit_bytes):
                    samples = wav.feed(content)
                    spoken_s += len(samples) / max(wav.sample_rate_hz, 1)
                    if spoken_s > longest_s:
                        raise self._connection.too_large()
                    if len(samples):
                        held.append(resampler.feed(samples, wav.sample_rate_hz))
                    if sum(map(len, held)) >= _PIECE_S * SAMPLE_RATE_HZ:
                        yield Speech(np.concatenate(held), SAMPLE_RATE_HZ)
                        held.clear()
                wav.finish()
            except NotWavError as error:
                raise RemoteError(
                    _(
                        "{name} sent no sound that can be read: {error}.",
                        name=self._connection.name,
                        error=error,
                    ),
                    _("Check that its server speaks, and that its address is right."),
                ) from error
            held.append(resampler.finish())
            rest = np.concatenate(held)
            if not spoken_s:
                raise RemoteError(
                    _("{name} sent no sound.", name=self._connection.name), _("Try again.")
                )
        if len(rest):
            yield Speech(rest, SAMPLE_RATE_HZ)
