"""Problems of a dataset as a whole: length, noise, repeats, and several speakers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modules.core_components.dataset.report import BAD, NOTE, WARN, ClipFacts, Finding, Usual
from modules.core_components.dataset.report_clips import TELEPHONE_HZ, same_texts
from modules.core_components.dataset.values import EVAL, Clip
from modules.core_components.text.languages import language_name
from modules.core_components.texts import _, ngettext
from modules.core_components.values import FloatArray

# Minutes of speech: below the first there is nothing to learn from, from the last on it is good.
SHORTEST_MINUTES, FEW_MINUTES, GOOD_MINUTES, MANY_MINUTES = 2.0, 10.0, 15.0, 60.0

_NARROW_HZ = 7_000
_NOISY_DB = 20.0
_OFTEN = 3


def dataset_findings(
    facts: Sequence[ClipFacts], usual: Usual, language: str, minutes: float, speakers: int | None
) -> Iterator[Finding]:
    """What holds for the dataset: `clip_id` is "", and they outweigh single clips."""
    yield from _length_findings(minutes, facts)
    if not facts:
        return
    if speakers is not None and speakers > 1:
        others = sum(bool(item.group) for item in facts)
        message = ngettext(
            "{speakers} people speak in it; {count} clips are not the main voice.",
            "{speakers} people speak in it; {count} clips are not the main voice.",
            others,
            speakers=speakers,
        )
        hint = _("Drop the clips of the others: a model learns one voice.")
        yield Finding("", "voice", BAD, message, hint, 18)
    spoken = Counter(item.language[0] for item in facts if item.language and item.language[1] > 0.6)
    others_spoken = {code: count for code, count in spoken.items() if code != language}
    if sum(others_spoken.values()) > 1:
        names = ", ".join(language_name(code) for code in others_spoken)
        message = _("Some of it seems to be in another language: {names}.", names=names)
        hint = _(
            "Keep one language in a dataset; this one is {language_name}.",
            language_name=language_name(language),
        )
        yield Finding("", "language", BAD, message, hint, 17)
    yield from _sound_findings(usual)


def _length_findings(minutes: float, facts: Sequence[ClipFacts]) -> Iterator[Finding]:
    if minutes < SHORTEST_MINUTES:
        message = _("It is too short: {minutes:.1f} minutes of speech.", minutes=minutes)
        hint = _(
            "Add recordings: {shortest_minutes:g} minutes at least, 15 to 60 are good.",
            shortest_minutes=SHORTEST_MINUTES,
        )
        yield Finding("", "short", BAD, message, hint, 20)
    elif minutes < FEW_MINUTES:
        message = _("{minutes:.1f} minutes of speech are little.", minutes=minutes)
        yield Finding("", "short", WARN, message, _("15 to 60 minutes are good."), 16)
    if facts and not any(item.clip.subset == EVAL for item in facts):
        message = _("No clip is kept for the evaluation.")
        yield Finding("", "evaluation", BAD, message, _("Restore those that were dropped."), 16)


def _sound_findings(usual: Usual) -> Iterator[Finding]:
    kilohertz = usual.bandwidth_hz / 1000
    if usual.bandwidth_hz < TELEPHONE_HZ:
        message = _(
            "It sounds like a telephone: most clips hold nothing above {kilohertz:.1f} kHz.",
            kilohertz=kilohertz,
        )
        hint = _("The voice will sound so too. Use better recordings if there are any.")
        yield Finding("", "bandwidth", WARN, message, hint, 15)
    elif usual.bandwidth_hz < _NARROW_HZ:
        message = _(
            "It sounds a little dull: most clips hold nothing above {kilohertz:.1f} kHz.",
            kilohertz=kilohertz,
        )
        yield Finding(
            "", "bandwidth", NOTE, message, _("Better recordings make a clearer voice."), 12
        )
    if usual.signal_to_noise_db < _NOISY_DB:
        message = _(
            "It is noisy: the speech is {signal_to_noise_db:.0f} dB above the noise.",
            signal_to_noise_db=usual.signal_to_noise_db,
        )
        hint = _("The model learns the noise too. Record in a quieter room, or clean it first.")
        yield Finding("", "noise", WARN, message, hint, 14)


def repeated_findings(facts: Sequence[ClipFacts], language: str) -> Iterator[Finding]:
    """Clips that say the same, or are the same recording twice."""
    twice = Counter(item.sound_sha256 for item in facts if item.sound_sha256)
    same_sound = {item.clip.id for item in facts if twice.get(item.sound_sha256, 0) > 1}
    for clip_id in sorted(same_sound):
        message = _("The same recording is in it twice.")
        yield Finding(clip_id, "duplicate", WARN, message, _("Drop one of them."), 3)
    clips = [item.clip for item in facts if item.clip.id not in same_sound]
    for same in same_texts(clips, language).values():
        yield from _same_text(same)


def _same_text(same: Sequence[Clip]) -> Iterator[Finding]:
    across = len({clip.subset for clip in same}) > 1
    for clip in same:
        others = len(same) - 1
        message = ngettext(
            "{count} other clip says the same.", "{count} other clips say the same.", others
        )
        if across and clip.subset != EVAL:
            easy = _("One of them is kept for the evaluation, which becomes too easy.")
            message = f"{message} {easy}"
            yield Finding(clip.id, "duplicate", WARN, message, _("Drop this one."), 1)
        else:
            severity = WARN if others >= _OFTEN else NOTE
            hint = _("Fine once or twice; drop some if there are many.")
            yield Finding(clip.id, "duplicate", severity, message, hint, others / 10)


# Counting the speakers by the speaker embeddings of the clips.

# Fewer clips that stand apart are odd clips, not a person.
FEWEST_CLIPS = 5
# Below it an embedding says more about the words than about the speaker.
SHORTEST_S = 1.0

_SEEDS = 8
_ROUNDS = 15


@dataclass(frozen=True)
class Voices:
    """`similarity` [n] of each clip to the main speaker; `groups` from the largest on, as indices.

    `speakers` counts the groups of at least five clips, one at least.
    """

    similarity: FloatArray
    groups: tuple[NDArray[np.intp], ...]

    @property
    def speakers(self) -> int:
        return max(1, sum(len(group) >= FEWEST_CLIPS for group in self.groups))

    def by_clip(self) -> list[tuple[float, int]]:
        """Similarity and group of each clip; the main speaker's group is 0."""
        group_of = {int(index): number for number, g in enumerate(self.groups) for index in g}
        return [(float(likeness), group_of[i]) for i, likeness in enumerate(self.similarity)]


def group_voices(embeddings: FloatArray, same_group: float) -> Voices:
    """Groups embeddings float32 [n, size] of unit length, n at least 1.

    Groups whose means have a cosine of `same_group` or more are one speaker's.

    Spherical k-means from eight seeds that lie far apart; then the groups whose centroids are
    alike are joined, so that one speaker's moods do not count as people. Nothing is drawn at
    random.
    """
    groups = _joined(embeddings, _clustered(embeddings, _far_apart(embeddings)), same_group)
    groups.sort(key=len, reverse=True)
    main = _centroid(embeddings[groups[0]])
    return Voices((embeddings @ main).astype(np.float32), tuple(groups))


def _far_apart(embeddings: FloatArray) -> FloatArray:
    """The most typical clip, then always the one that is farthest from all seeds so far."""
    chosen = [int((embeddings @ _centroid(embeddings)).argmax())]
    nearest = embeddings @ embeddings[chosen[0]]
    while len(chosen) < min(_SEEDS, len(embeddings)):
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, embeddings @ embeddings[chosen[-1]])
    return embeddings[chosen]


def _clustered(embeddings: FloatArray, seeds: FloatArray) -> list[NDArray[np.intp]]:
    centroids = seeds
    for _unused in range(_ROUNDS):
        labels = (embeddings @ centroids.T).argmax(axis=1)
        groups = [np.flatnonzero(labels == label) for label in range(len(centroids))]
        groups = [group for group in groups if len(group)]
        centroids = np.stack([_centroid(embeddings[group]) for group in groups])
    return groups


def _joined(
    embeddings: FloatArray, groups: list[NDArray[np.intp]], same_group: float
) -> list[NDArray[np.intp]]:
    while len(groups) > 1:
        centroids = np.stack([_centroid(embeddings[group]) for group in groups])
        likeness = centroids @ centroids.T - 2 * np.eye(len(groups))
        first, second = divmod(int(likeness.argmax()), len(groups))
        if likeness[first, second] < same_group:
            break
        joined = np.concatenate([groups[first], groups[second]])
        groups = [g for i, g in enumerate(groups) if i not in (first, second)] + [joined]
    return groups


def _centroid(embeddings: FloatArray) -> FloatArray:
    mean = embeddings.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-8), dtype=np.float32)
