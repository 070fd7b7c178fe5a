"""Recordings as a player shows them: found by what they are and their id, with their waveform."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modules.core_components import atomic
from modules.core_components.audio.encode import encode_speech
from modules.core_components.audio.files import read_speech
from modules.core_components.audio.waveform import waveform
from modules.core_components.dataset.trimming import cut_sound
from modules.core_components.errors import BadInputError, NotFoundError, StudioError
from modules.core_components.texts import _
from modules.core_components.values import Speech, Word
from modules.tools.dataset.editor import get_clip
from modules.tools.listening.transcripts import get_transcript
from modules.tools.services import Services

logger = logging.getLogger(__name__)

TAKE, SAMPLE, TRANSCRIPT, CLIP = "take", "sample", "transcript", "clip"
CONVERSATION, LINE = "conversation", "line"
SHORTEST_PART_S = 0.05


@dataclass(frozen=True)
class Recording:
    """A recording of the studio: its file, what its copies are called, and its words with times."""

    path: Path
    name: str
    words: tuple[Word, ...] = ()


def clip_key(dataset: str, clip_id: str) -> str:
    """By which `find_recording` knows a clip of a dataset."""
    return f"{dataset}/{clip_id}"


def line_key(conversation_id: str, line_id: str) -> str:
    """By which `find_recording` knows a line of a conversation."""
    return f"{conversation_id}/{line_id}"


def find_recording(services: Services, kind: str, key: str) -> Recording:
    """The recording of something that the studio keeps, looked up in its library by its id.

    Raises NotFoundError for an unknown kind or id, and where the file is gone.
    """
    find = _FINDERS.get(kind)
    if find is None:
        raise NotFoundError(_("There are no recordings of the kind {kind!r}.", kind=kind))
    recording = find(services, key)
    if not recording.path.is_file():
        raise NotFoundError(_("The recording is not there any more."), _("Perhaps it was deleted."))
    return recording


def describe_waveform(services: Services, recording: Recording) -> dict[str, Any]:
    """Length in seconds, peaks and pauses (see `Waveform`) as plain JSON; kept in the cache.

    Raises BadInputError for a file that cannot be read.
    """
    kept = services.waveforms_folder / f"{recording_version(recording)}.json"
    try:
        described = json.loads(kept.read_text(encoding="utf-8"))
        if isinstance(described, dict):
            return described
    except (OSError, ValueError):
        pass  # not there yet, or damaged
    shape = waveform(_sound_of(recording))
    described = {
        "seconds": round(shape.duration_s, 4),
        "peaks": list(shape.peaks),
        "pauses": [list(pause) for pause in shape.pauses_s],
    }
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        text = json.dumps(described, separators=(",", ":"))
        atomic.write_bytes(kept, text.encode("ascii"))
    except (OSError, StudioError) as error:  # it can be drawn all the same
        logger.warning("A waveform could not be kept: %s", error)
    return described


def _sound_of(recording: Recording) -> Speech:
    """The sound to draw; libsndfile reads what the studio writes six times faster."""
    import soundfile

    try:
        samples, rate_hz = soundfile.read(recording.path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        samples, rate_hz = np.zeros((0, 1), np.float32), 0
    if not len(samples) or not np.isfinite(samples).all():
        return read_speech(recording.path, called=recording.name)
    return Speech(np.asarray(samples.mean(axis=1), dtype=np.float32), rate_hz)


def cut_part(recording: Recording, start_s: float, end_s: float) -> bytes:
    """A wav file of what lies between two times; the recording stays as it is.

    Raises BadInputError for less than 0.05 s within the recording.
    """
    speech = read_speech(recording.path, called=recording.name)
    start_s, end_s = max(start_s, 0.0), min(end_s, speech.duration_s)
    if not end_s - start_s >= SHORTEST_PART_S:  # nor where a time is no number
        raise BadInputError(_("There is nothing to save."), _("Select a longer part."))
    samples = cut_sound(speech.samples, speech.sample_rate_hz, start_s, end_s)
    return encode_speech(Speech(samples, speech.sample_rate_hz), "wav")


def recording_version(recording: Recording) -> str:
    """Changes with the place and the content of a recording."""
    status = recording.path.stat()
    about = f"{recording.path.resolve()}\n{status.st_size}\n{status.st_mtime_ns}"
    return hashlib.sha256(about.encode("utf-8", errors="surrogatepass")).hexdigest()[:32]


def _take(services: Services, key: str) -> Recording:
    take = services.takes.get(key)
    return Recording(take.path, take.id)


def _sample(services: Services, key: str) -> Recording:
    sample = services.samples.get(key)
    return Recording(sample.path, sample.path.stem)


def _transcript(services: Services, key: str) -> Recording:
    kept = get_transcript(services, key)
    if kept.recording is None:
        raise NotFoundError(_("The recording was not kept with this transcript."))
    return Recording(kept.recording, kept.id)


def _clip(services: Services, key: str) -> Recording:
    dataset_name, _unused, clip_id = key.rpartition("/")
    clip = get_clip(services, dataset_name, clip_id)
    return Recording(services.datasets.get(dataset_name).wav_of(clip), clip.id, clip.words)


def _conversation(services: Services, key: str) -> Recording:
    conversation = services.conversations.get(key)
    return Recording(conversation.file("wav"), conversation.id)


def _line(services: Services, key: str) -> Recording:
    conversation_id, _unused, line_id = key.rpartition("/")
    conversation = services.conversations.get(conversation_id)
    take_id = conversation.line(line_id).take
    if not take_id:
        raise NotFoundError(_("This line is not generated yet."))
    take = services.conversations.takes(conversation).get(take_id)
    return Recording(take.path, take.id)


_FINDERS: Mapping[str, Callable[[Services, str], Recording]] = {
    TAKE: _take,
    SAMPLE: _sample,
    TRANSCRIPT: _transcript,
    CLIP: _clip,
    CONVERSATION: _conversation,
    LINE: _line,
}
