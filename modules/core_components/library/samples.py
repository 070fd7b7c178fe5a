"""The samples: `samples/<stem>.wav` with `samples/<stem>.json` next to it."""

from __future__ import annotations

import difflib
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from modules.core_components.audio.files import audio_sha256, encode_speech, read_speech
from modules.core_components.audio.measure import (
    peak,
)
from modules.core_components.audio.resample import resample
from modules.core_components.audio.sample_quality import SampleFinding, check_sample
from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.library.audio_folder import AudioFolder
from modules.core_components.library.names import display_name, numbered, safe_stem, same_name_key
from modules.core_components.library.records import sample_from_json, sample_to_json
from modules.core_components.texts import _, mark
from modules.core_components.values import Consent, Sample, Speech

logger = logging.getLogger(__name__)


_AND = "+"

_MAX_RATE_HZ = 48_000
_PEAK_OF_OVERLOADED = 0.99


class SampleLibrary:
    """The samples in a folder, under the names their owner gave them.

    A wav that was put into the folder by hand is a sample too. Names are looked up in the listing
    and never become paths. `check` judges a recording (see `check_sample`).
    """

    def __init__(
        self,
        folder: Path,
        max_duration_s: float,
        check: Callable[[Speech], tuple[SampleFinding, ...]] = check_sample,
    ) -> None:
        self._files = AudioFolder(folder, {".wav"}, mark("sample"))
        self.trash = self._files.trash
        self._max_duration_s = max_duration_s
        self._check = check
        # Hash and duration of files whose JSON does not say them, by name, size and time.
        self._measured: dict[tuple[str, int, int], tuple[str, float]] = {}

    def list(self) -> tuple[Sample, ...]:
        """All samples by name. Files that are no usable recording are logged, see `unusable`."""
        return self._scan()[0]

    def unusable(self) -> Mapping[str, str]:
        """wav files in the folder that cannot be samples, each with the reason."""
        return self._scan()[1]

    def voice(self, name: str) -> Sample:
        """A sample by its name, or the voice of several: "Anna + Anna 2" is taken from both.

        Raises NotFoundError.
        """
        names = [part.strip() for part in name.split(_AND)]
        if len(names) == 1 or any(sample.name == name for sample in self.list()):
            return self.get(name)
        return _together([self.get(part) for part in names])

    def get(self, name: str) -> Sample:
        """A sample by its name, or by its file name without suffix. Raises NotFoundError."""
        samples = self.list()
        key = same_name_key(name)
        readings: tuple[Callable[[Sample], bool], ...] = (
            lambda sample: sample.name == name,
            lambda sample: same_name_key(sample.name) == key,
            lambda sample: same_name_key(sample.path.stem) == key,
        )
        for means in readings:
            for sample in filter(means, samples):
                return sample
        near = difflib.get_close_matches(name, [sample.name for sample in samples])
        raise NotFoundError(
            _("There is no sample named {name!r}.", name=name),
            _("Did you mean {near}?", near=", ".join(near))
            if near
            else _("Add the recording as a sample first."),
        )

    def add(
        self,
        audio: Path | str | bytes,
        name: str,
        ref_text: str = "",
        language: str = "",
        consent: Consent | None = None,
        info: Mapping[str, Any] | None = None,
        track: int = 0,
    ) -> Sample:
        """Keeps a recording: mono, 16 bit, at its own rate (48 kHz at the most).

        `track` is its audio track, counted from 1; 0 is the file's default.

        Its quality warnings are in `info["warnings"]` of the result. A recording that already
        lies here is not kept twice: the sample that holds it is returned under its own name,
        with the text, language and consent given now, and a warning that says so. A name that
        is taken gets a number. A consent that names no speaker names the sample. Raises
        BadInputError for what cannot be used (see `read_speech` and `check_sample`) and
        DiskFullError.
        """
        read = read_speech(audio, None, self._max_duration_s, track, keep_times=False)
        heard = _as_kept(read)
        content = encode_speech(heard, "wav")
        kept = read_speech(content)
        warnings = [*read.notes, *(finding.sentence for finding in self._check(kept))]
        sha256 = audio_sha256(kept)
        with self._files.lock:
            samples = self.list()
            for sample in samples:
                if sample.audio_sha256 == sha256:
                    return self._add_again(sample, ref_text, language, consent, warnings)
            names = (sample.name for sample in samples)
            new = Sample(
                name=numbered(display_name(name), names, "{name} {number}"),
                path=Path(),
                audio_sha256=sha256,
                duration_s=kept.duration_s,
                ref_text=ref_text.strip(),
                language=language,
                consent=_named(consent, display_name(name)),
                created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
                info={**(info or {}), **_origin(audio), "warnings": warnings},
            )
            path = self._files.add(safe_stem(new.name), ".wav", content, sample_to_json(new))
        return replace(new, path=path)

    def update(
        self,
        name: str,
        new_name: str | None = None,
        ref_text: str | None = None,
        language: str | None = None,
        consent: Consent | None = None,
    ) -> Sample:
        """Changes what is given; the file keeps its name. Raises NotFoundError, BadInputError."""
        with self._files.lock:
            sample = self.get(name)
            if new_name is not None:
                sample = self._renamed(sample, display_name(new_name))
            if ref_text is not None:
                sample = replace(sample, ref_text=ref_text.strip())
            if language is not None:
                sample = replace(sample, language=language)
            if consent is not None:
                sample = replace(sample, consent=consent)
            return self._written(sample)

    def delete(self, name: str) -> str:
        """Moves a sample to the trash; returns the id for `restore`. Raises NotFoundError."""
        with self._files.lock:
            return self._files.delete(self.get(name).path)

    def restore(self, trash_id: str) -> Sample:
        """Undoes `delete`; numbered if its name was given away since. Raises NotFoundError."""
        with self._files.lock:
            names = [sample.name for sample in self.list()]
            sample = self._read(self._files.restore(trash_id))
            free = numbered(sample.name, names, "{name} {number}")
            return sample if free == sample.name else self._written(replace(sample, name=free))

    def _renamed(self, sample: Sample, name: str) -> Sample:
        others = (other.name for other in self.list() if other.path != sample.path)
        if same_name_key(name) in map(same_name_key, others):
            raise BadInputError(
                _("There already is a sample named {name!r}.", name=name), _("Choose another name.")
            )
        return replace(sample, name=name)

    def _add_again(
        self,
        sample: Sample,
        ref_text: str,
        language: str,
        consent: Consent | None,
        warnings: Sequence[str],
    ) -> Sample:
        known = self._written(
            replace(
                sample,
                ref_text=ref_text.strip() or sample.ref_text,
                language=language or sample.language,
                consent=_named(consent, _speaker_of(sample)) or sample.consent,
            )
        )
        already = _(
            "This recording already lies here as {name!r}; it was not kept twice.", name=known.name
        )
        return replace(known, info={**known.info, "warnings": [already, *warnings]})

    def _written(self, sample: Sample) -> Sample:
        """Writes what is known of a sample, keeping entries of the JSON that are not ours."""
        kept = self._files.read_info(sample.path)
        self._files.write_info(sample.path, {**kept, **sample_to_json(sample)})
        return sample

    def _scan(self) -> tuple[tuple[Sample, ...], Mapping[str, str]]:
        samples, unusable = [], {}
        for path in self._files.audio_paths():
            try:
                samples.append(self._read(path))
            except BadInputError as error:
                logger.warning("Not a sample: %s", error)
                unusable[path.name] = str(error)
            except FileNotFoundError:
                continue  # deleted while we looked
        return tuple(sorted(samples, key=lambda sample: same_name_key(sample.name))), unusable

    def _read(self, path: Path) -> Sample:
        info = self._files.read_info(path)
        sample = sample_from_json(path, info)
        if sample.audio_sha256 and self._files.is_unchanged(path, info):
            return sample
        status = path.stat()
        key = (path.name, status.st_size, status.st_mtime_ns)
        if key not in self._measured:
            speech = read_speech(path, max_duration_s=self._max_duration_s)
            self._measured[key] = audio_sha256(speech), speech.duration_s
        sha256, duration_s = self._measured[key]
        return replace(sample, audio_sha256=sha256, duration_s=duration_s)


def _as_kept(speech: Speech) -> Speech:
    """At most 48 kHz, and turned down rather than clipped where it goes beyond full scale."""
    rate_hz = min(speech.sample_rate_hz, _MAX_RATE_HZ)
    samples = resample(speech.samples, speech.sample_rate_hz, rate_hz)
    highest = peak(Speech(samples, rate_hz))
    return Speech(samples * (_PEAK_OF_OVERLOADED / highest) if highest > 1 else samples, rate_hz)


def _named(consent: Consent | None, speaker: str) -> Consent | None:
    """The consent, with `speaker` where it has no name."""
    if consent is None or consent.speaker.strip():
        return consent
    return replace(consent, speaker=speaker)


def _speaker_of(sample: Sample) -> str:
    return (sample.consent.speaker if sample.consent else "") or sample.name


def _origin(audio: Path | str | bytes) -> dict[str, str]:
    """Where a recording came from: the file's own name and the hash of its bytes."""
    if isinstance(audio, bytes):
        return {"original_sha256": hashlib.sha256(audio).hexdigest()}
    digest = hashlib.sha256()
    with Path(audio).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return {"original_name": Path(audio).name, "original_sha256": digest.hexdigest()}


def _together(samples: Sequence[Sample]) -> Sample:
    first = samples[0]
    hashes = ",".join(sample.audio_sha256 for sample in samples)
    return replace(
        first,
        name=f" {_AND} ".join(sample.name for sample in samples),
        audio_sha256=hashlib.sha256(hashes.encode()).hexdigest(),
        duration_s=sum(sample.duration_s for sample in samples),
        ref_text=" ".join(sample.ref_text for sample in samples if sample.ref_text),
        parts=tuple(samples),
    )
