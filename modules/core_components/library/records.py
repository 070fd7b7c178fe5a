"""Samples and takes as JSON, in both directions.

What a newer version wrote and this one does not know is passed over here, and what has the wrong
type counts as missing: a file that somebody edited must not hide a recording.

Read by hand and not by pydantic, which refuses a whole record for one bad field, and text with half
a surrogate pair, as pasted emoji leave it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from modules.core_components.values import Consent, Sample, Scores, Take

Value = TypeVar("Value")

_NOT_STORED = ("id", "path", "parts")


def sample_to_json(sample: Sample) -> dict[str, Any]:
    """Everything but the path, which the file's place says."""
    record = dataclasses.asdict(dataclasses.replace(sample, info=dict(sample.info)))
    return {name: value for name, value in record.items() if name not in _NOT_STORED}


def sample_from_json(path: Path, record: Mapping[str, Any]) -> Sample:
    """The sample at `path`; hash "" and duration 0 where the record does not say them."""
    consent = record.get("consent")
    return Sample(
        name=_of_type(record, "name", "") or path.stem,
        path=path,
        audio_sha256=_of_type(record, "audio_sha256", ""),
        duration_s=_of_type(record, "duration_s", 0.0),
        ref_text=_of_type(record, "ref_text", ""),
        language=_of_type(record, "language", ""),
        consent=_consent(consent) if isinstance(consent, dict) else None,
        created=_of_type(record, "created", ""),
        info=_of_type(record, "info", {}),
    )


def take_to_json(take: Take) -> dict[str, Any]:
    """Everything but id and path, which the file's name says."""
    plain = dataclasses.replace(
        take,
        options=dict(take.options),
        timings_s=dict(take.timings_s),
        environment=dict(take.environment),
        speaker_samples=dict(take.speaker_samples),
    )
    record = dataclasses.asdict(plain)
    return {name: value for name, value in record.items() if name not in _NOT_STORED}


def take_from_json(take_id: str, path: Path, record: Mapping[str, Any]) -> Take:
    """The take at `path`, with what its record says of it."""
    scores = record.get("scores")
    return Take(
        id=take_id,
        path=path,
        text=_of_type(record, "text", ""),
        kind=_of_type(record, "kind", ""),
        voice=_of_type(record, "voice", ""),
        engine=_of_type(record, "engine", ""),
        model_id=_of_type(record, "model_id", ""),
        model_revision=_of_type(record, "model_revision", ""),
        language=_of_type(record, "language", ""),
        seed=_of_type(record, "seed", 0),
        options=_of_type(record, "options", {}),
        duration_s=_of_type(record, "duration_s", 0.0),
        sample_rate_hz=_of_type(record, "sample_rate_hz", 0),
        audio_sha256=_of_type(record, "audio_sha256", ""),
        pcm_sha256=_of_type(record, "pcm_sha256", ""),
        created=_of_type(record, "created", ""),
        app_version=_of_type(record, "app_version", ""),
        sample_sha256=_text_or_none(record, "sample_sha256"),
        prompt_key=_text_or_none(record, "prompt_key"),
        ref_text=_of_type(record, "ref_text", ""),
        scores=_scores(scores) if isinstance(scores, dict) else Scores(),
        timings_s=_of_type(record, "timings_s", {}),
        environment=_of_type(record, "environment", {}),
        made_from=_text_or_none(record, "made_from"),
        notes=_texts(record, "notes"),
        speaker_samples=_of_type(record, "speaker_samples", {}),
        favourite=_of_type(record, "favourite", False),
    )


def _texts(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    noted: list[Any] = _of_type(record, name, [])
    return tuple(text for text in noted if isinstance(text, str))


def _consent(record: Mapping[str, Any]) -> Consent:
    return Consent(
        speaker=_of_type(record, "speaker", ""),
        agreed=_of_type(record, "agreed", False),
        note=_of_type(record, "note", ""),
    )


_SCORE_TEXTS = ("heard", "speaker_encoder")


def _scores(record: Mapping[str, Any]) -> Scores:
    values: dict[str, Any] = {
        item.name: _of_type(record, item.name, 0.0)
        for item in dataclasses.fields(Scores)
        if item.name not in _SCORE_TEXTS and isinstance(record.get(item.name), (int, float))
    }
    values |= {name: _text_or_none(record, name) for name in _SCORE_TEXTS}
    return Scores(**values)


def _of_type(record: Mapping[str, Any], name: str, default: Value) -> Value:
    value = record.get(name, default)
    if isinstance(default, float) and type(value) is int:
        return float(value)  # type: ignore[return-value]  # JSON writes 2.0 as 2 at times
    return value if type(value) is type(default) else default


def _text_or_none(record: Mapping[str, Any], name: str) -> str | None:
    return _of_type(record, name, "") or None
