"""One recording of a dataset: read, transcribed, cut, cleaned if wanted, and written as clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from modules.core_components import atomic
from modules.core_components.audio.denoise import METHOD
from modules.core_components.audio.encode import audio_sha256
from modules.core_components.audio.files import read_speech
from modules.core_components.audio.measure import INAUDIBLE, loudness_lufs, signal_to_noise_db
from modules.core_components.audio.refusals import silent
from modules.core_components.dataset.cutting import Cut, CutRules, Piece, cut_words
from modules.core_components.dataset.known_text import timed_cues
from modules.core_components.dataset.metadata import MetadataRow
from modules.core_components.dataset.report import NOISE_REMOVED
from modules.core_components.dataset.split import TokenCounter, drawn
from modules.core_components.dataset.trimming import (
    TARGET_LUFS,
    clean_excerpt,
    clip_wav,
    excerpt,
    gain_to_target_db,
)
from modules.core_components.dataset.values import (
    LONGEST_SAMPLES,
    SAMPLE_RATE_HZ,
    Clip,
    Dataset,
    Source,
    Stretch,
    metadata_text,
)
from modules.core_components.dataset.words import joined_text, middle_s
from modules.core_components.progress import CancelToken, Progress, phase
from modules.core_components.text.subtitles import Cue
from modules.core_components.texts import _
from modules.core_components.values import Speech, Word
from modules.tools.dataset.inputs import Recording
from modules.tools.dataset.interview import Interviews, Speakers
from modules.tools.dataset.transcription import Listener, TranscribedWords

# Beyond this a recording no longer fits in the memory of a small machine (1.3 GB at 22,050 Hz).
LONGEST_RECORDING_S = 4 * 3600.0
_KEY_DIGITS = 12
# Of the work on a recording whose speakers are told apart.
_DIARIZING_SHARE = 0.4


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
        self,
        dataset: Dataset,
        language: str,
        listener: Listener,
        count_tokens: TokenCounter,
        interviews: Interviews | None = None,
        denoise: bool = False,
    ) -> None:
        self.dataset = dataset
        self._denoise = denoise
        self._language = language
        self._listener = listener
        self._count_tokens = count_tokens
        self._rules = CutRules()
        self._interviews = interviews

    def read(self, recording: Recording, cancel: CancelToken) -> Sound:
        """Raises BadInputError, which says nothing of the file's name: an upload has lost it."""
        speech = read_speech(
            recording.path, SAMPLE_RATE_HZ, LONGEST_RECORDING_S, called=_("It"), cancel=cancel
        )
        peak = float(np.abs(speech.samples).max(initial=0.0))
        if recording.row is None and peak <= INAUDIBLE:
            raise silent(_("It"))
        return Sound(speech, audio_sha256(speech))

    def make(
        self, recording: Recording, sound: Sound, progress: Progress, cancel: CancelToken
    ) -> Source:
        """Writes the clips into the dataset's `wavs/` and returns what is to be saved.

        A recording without speech is a source without clips. Raises what the engine raises.
        """
        row = recording.row
        speakers = None
        if self._interviews is not None and row is None:
            share = phase(progress, 0.0, _DIARIZING_SHARE)
            speakers = self._interviews.listen(sound.speech, share, cancel)
            progress = phase(progress, _DIARIZING_SHARE, 1.0)
        if row is not None and self._is_one_clip(sound.speech, row.text):
            whole = Piece(0.0, sound.speech.duration_s, ())
            cut, heard, made_with = (
                Cut((whole,), ()),
                TranscribedWords((), ()),
                {"text": "metadata"},
            )
        else:
            cues = recording.cues
            if row is not None:
                cues = (Cue(0.0, sound.speech.duration_s, (row.text,)),)
            listening = phase(progress, 0.0, _LISTENING_SHARE) if self._denoise else progress
            heard = self._listener.transcribe(sound.speech, listening, cancel)
            words = timed_cues(cues, heard.words) if cues else heard.words
            made_with = {
                "text": "metadata" if row else "subtitles" if cues else "heard",
                **self._listener.described(),
            }
            cut = self._cut(words, sound.speech, heard, speakers)
            if speakers is not None and self._interviews is not None:
                made_with |= self._interviews.described()
                cut = _only_taken(cut, speakers)
        clips, noise = self._write_clips(
            recording, sound, cut.pieces, heard.words, progress, cancel, speakers
        )
        return Source(
            key=sound.key,
            name=recording.name,
            audio_sha256=sound.sha256,
            duration_s=sound.speech.duration_s,
            clips=clips,
            dropped=cut.dropped,
            made_with={
                **made_with,
                "rules": asdict(self._rules),
                "loudness_lufs": TARGET_LUFS,
                **({NOISE_REMOVED: noise} if self._denoise else {}),
            },
        )

    def _cut(
        self,
        words: Sequence[Word],
        speech: Speech,
        heard: TranscribedWords,
        speakers: Speakers | None,
    ) -> Cut:
        return cut_words(
            words,
            speech.duration_s,
            self._language,
            heard.speech,
            self._rules,
            self._count_tokens,
            speakers.of_words if speakers is not None else None,
        )

    def _is_one_clip(self, speech: Speech, text: str) -> bool:
        """Whether the trainer can take a recording of known text as it is."""
        return (
            speech.duration_s >= self._rules.least_s
            and len(speech.samples) <= LONGEST_SAMPLES
            and self._count_tokens(metadata_text(text)) <= self._rules.most_tokens
        )

    def _write_clips(
        self,
        recording: Recording,
        sound: Sound,
        pieces: Sequence[Piece],
        heard: Sequence[Word],
        progress: Progress,
        cancel: CancelToken,
        speakers: Speakers | None = None,
    ) -> tuple[tuple[Clip, ...], dict[str, Any]]:
        """The clips, and what removing their noise changed, if that was wanted."""
        row = recording.row
        ratios: list[tuple[float, float]] = []
        loudness = loudness_lufs(sound.speech)
        clips = []
        for index, piece in enumerate(pieces):
            cancel.raise_if_cancelled()
            speech = excerpt(sound.speech, piece.start_s, piece.end_s)
            if self._denoise:
                done = _LISTENING_SHARE + (1 - _LISTENING_SHARE) * index / len(pieces)
                progress(
                    done,
                    _(
                        "Removing noise: clip {index} of {count}",
                        index=index + 1,
                        count=len(pieces),
                    ),
                )
                noisy, speech = speech, clean_excerpt(sound.speech, piece.start_s, piece.end_s)
                ratios.append((_above_noise_db(noisy), _above_noise_db(speech)))
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
                speaker=metadata_text(_speaker(row, piece, speakers)) or self.dataset.speaker,
                gain_db=gain_db,
            )
            atomic.write_bytes(self.dataset.wav_of(clip), clip_wav(speech, gain_db))
            clips.append(clip)
        before, after = np.median(ratios, axis=0).tolist() if ratios else (None, None)
        noise = {"method": METHOD, "clips": len(ratios), "before_db": before, "after_db": after}
        if row is not None and row.subset:
            return tuple(replace(clip, subset=row.subset) for clip in clips), noise
        return drawn(clips, sound.sha256), noise


# Of the time for a recording whose clips are cleaned.
_LISTENING_SHARE = 0.7


def _above_noise_db(speech: Speech) -> float:
    return signal_to_noise_db(speech) or 0.0


def _speaker(row: MetadataRow | None, piece: Piece, speakers: Speakers | None) -> str:
    if row is not None:
        return row.speaker
    return speakers.of_piece(piece)[0] if speakers is not None else ""


def _only_taken(cut: Cut, speakers: Speakers) -> Cut:
    """Without the pieces of other speakers and of several, which become left-out stretches."""
    refusals = {piece: speakers.of_piece(piece)[1] for piece in cut.pieces}
    lost = [Stretch(p.start_s, p.end_s, reason) for p, reason in refusals.items() if reason]
    kept = tuple(piece for piece, reason in refusals.items() if not reason)
    dropped = sorted((*cut.dropped, *lost), key=lambda stretch: stretch.start_s)
    return Cut(kept, tuple(dropped))


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
