"""One recording of a dataset: read, listened to, cut, written as clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from modules.core_components import atomic
from modules.core_components.audio.encode import audio_sha256
from modules.core_components.audio.files import read_speech
from modules.core_components.audio.measure import loudness_lufs
from modules.core_components.dataset.cutting import Cut, CutRules, Piece, cut_words
from modules.core_components.dataset.known_text import timed_cues
from modules.core_components.dataset.metadata import metadata_text
from modules.core_components.dataset.sound import (
    TARGET_LUFS,
    clip_wav,
    excerpt,
    gain_to_target_db,
)
from modules.core_components.dataset.split import drawn
from modules.core_components.dataset.tokens import TokenCounter
from modules.core_components.dataset.values import (
    LONGEST_SAMPLES,
    SAMPLE_RATE_HZ,
    Clip,
    Dataset,
    Source,
)
from modules.core_components.dataset.words import joined_text, middle_s
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.text.cues import Cue
from modules.core_components.values import Speech, Word
from modules.tools.dataset.inputs import Recording
from modules.tools.dataset.transcription import Heard, Listener

# Beyond this a recording no longer fits in the memory of a small machine (1.3 GB at 22,050 Hz).
LONGEST_RECORDING_S = 4 * 3600.0
_KEY_DIGITS = 12


@dataclass(frozen=True, eq=False)
class Sound:
    """A recording as it was decoded: mono, 22,050 Hz, and the hash of these samples."""

    speech: Speech
    sha256: str

    @property
    def key(self) -> str:
        return self.sha256[:_KEY_DIGITS]


class SourceMaker:
    """Makes the sources of one dataset; the same recording always gives the same clips."""

    def __init__(
        self, dataset: Dataset, language: str, listener: Listener, count_tokens: TokenCounter
    ) -> None:
        self.dataset = dataset
        self._language = language
        self._listener = listener
        self._count_tokens = count_tokens
        self._rules = CutRules()

    def read(self, recording: Recording) -> Sound:
        """Raises BadInputError."""
        speech = read_speech(recording.path, SAMPLE_RATE_HZ, LONGEST_RECORDING_S)
        return Sound(speech, audio_sha256(speech))

    def make(
        self, recording: Recording, sound: Sound, progress: Progress, cancel: CancelToken
    ) -> Source:
        """Writes the clips into the dataset's `wavs/` and returns what is to be saved.

        A recording in which nobody speaks is a source without clips. Raises what listening raises.
        """
        row = recording.row
        if row is not None and self._is_one_clip(sound.speech, row.text):
            whole = Piece(0.0, sound.speech.duration_s, ())
            cut, heard, made_with = Cut((whole,), ()), Heard((), ()), {"text": "metadata"}
        else:
            cues = recording.cues
            if row is not None:
                cues = (Cue(0.0, sound.speech.duration_s, (row.text,)),)
            heard = self._listener.hear(sound.speech, progress, cancel)
            words = timed_cues(cues, heard.words) if cues else heard.words
            made_with = {
                "text": "metadata" if row else "subtitles" if cues else "heard",
                **self._listener.described(),
            }
            cut = self._cut(words, sound.speech, heard)
        clips = self._write_clips(recording, sound, cut.pieces, heard.words)
        return Source(
            key=sound.key,
            name=recording.name,
            audio_sha256=sound.sha256,
            duration_s=sound.speech.duration_s,
            clips=clips,
            dropped=cut.dropped,
            made_with={**made_with, "rules": asdict(self._rules), "loudness_lufs": TARGET_LUFS},
        )

    def _cut(self, words: Sequence[Word], speech: Speech, heard: Heard) -> Cut:
        return cut_words(
            words, speech.duration_s, self._language, heard.speech, self._rules, self._count_tokens
        )

    def _is_one_clip(self, speech: Speech, text: str) -> bool:
        """Whether the trainer can take a recording of known text as it is."""
        return (
            speech.duration_s >= self._rules.least_s
            and len(speech.samples) <= LONGEST_SAMPLES
            and self._count_tokens(metadata_text(text)) <= self._rules.most_tokens
        )

    def _write_clips(
        self, recording: Recording, sound: Sound, pieces: Sequence[Piece], heard: Sequence[Word]
    ) -> tuple[Clip, ...]:
        row = recording.row
        loudness = loudness_lufs(sound.speech)
        clips = []
        for index, piece in enumerate(pieces):
            speech = excerpt(sound.speech, piece.start_s, piece.end_s)
            gain_db = gain_to_target_db(speech, loudness)
            clip = Clip(
                id=f"{sound.key}_{index:04d}",
                source=sound.key,
                start_s=piece.start_s,
                end_s=piece.end_s,
                text=metadata_text(piece.text or (row.text if row else "")),
                heard=joined_text(_within(piece, heard)),
                words=tuple(_from_clip_start(word, piece) for word in piece.words),
                subset="",
                speaker=metadata_text(row.speaker if row else "") or self.dataset.speaker,
                gain_db=gain_db,
            )
            atomic.write_bytes(self.dataset.wav_of(clip), clip_wav(speech, gain_db))
            clips.append(clip)
        if row is not None and row.subset:
            return tuple(replace(clip, subset=row.subset) for clip in clips)
        return drawn(clips, sound.sha256)


def _within(piece: Piece, words: Sequence[Word]) -> list[Word]:
    """The words whose middle lies in the piece."""
    return [word for word in words if piece.start_s <= middle_s(word) < piece.end_s]


def _from_clip_start(word: Word, piece: Piece) -> Word:
    """The word with times from the start of the clip, to the millisecond."""
    return replace(
        word,
        start_s=round(word.start_s - piece.start_s, 3),
        end_s=round(word.end_s - piece.start_s, 3),
    )
