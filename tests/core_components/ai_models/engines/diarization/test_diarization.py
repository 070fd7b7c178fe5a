"""From what is heard in windows to the turns of speakers, on made-up voices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bench.diarization import error_rate
from modules.core_components.ai_models.engines.diarization.clustering import (
    SpeakerCount,
    assign_speakers,
)
from modules.core_components.ai_models.engines.diarization.frames import (
    FIRST_FRAME_S,
    FRAME_S,
    FRAMES,
    HOP,
    WINDOW,
)
from modules.core_components.ai_models.engines.diarization.local_voices import (
    LocalVoices,
    VoiceCollector,
    load_voices,
    windows_of,
)
from modules.core_components.ai_models.engines.diarization.network import (
    SegmentationNetwork,
    load_segmentation,
)
from modules.core_components.ai_models.engines.diarization.turns import find_turns, overlaps
from modules.core_components.errors import CorruptFileError, StudioError
from modules.core_components.values import FloatArray, Turn

RATE_HZ = 16_000
ANY = SpeakerCount()


class Room:
    """A recording in which speaker k sounds like the constant k + 1, for what hears windows."""

    def __init__(self, turns: list[tuple[float, float, int]], duration_s: float) -> None:
        self.samples = np.zeros(round(duration_s * RATE_HZ), np.float32)
        for start_s, end_s, speaker in turns:
            self.samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)] = speaker + 1
        self.voices = np.random.default_rng(0).normal(size=(20, 192)).astype(np.float32)

    def activity(self, window: FloatArray) -> NDArray[np.bool_]:
        """Speakers in the order of a window's own, as the network numbers them."""
        centres = ((FIRST_FRAME_S + np.arange(FRAMES) * FRAME_S) * RATE_HZ).astype(int)
        heard = np.rint(window[centres]).astype(int)
        active = np.zeros((FRAMES, 3), np.bool_)
        for number, speaker in enumerate(list(dict.fromkeys(heard[heard > 0].tolist()))[:3]):
            active[:, number] = heard == speaker
        return active

    def embed(self, samples: FloatArray) -> FloatArray:
        speaker = round(float(np.median(samples))) - 1
        near = self.voices[speaker] + 0.3 * np.random.default_rng(len(samples)).normal(size=192)
        return np.asarray(near / np.linalg.norm(near), np.float32)

    def listen(self, known: LocalVoices | None = None, until: int = 10**6) -> LocalVoices:
        collector = VoiceCollector(self.activity, self.embed, known)
        first = known.windows if known else 0
        blocks = np.array_split(self.samples, 7)
        read = 0
        for number, (window, read) in enumerate(windows_of(blocks, first), start=first):
            if number == until:
                return collector.result(read, complete=False)
            collector.add(window)
        return collector.result(read, complete=True)

    def turns(self, count: SpeakerCount = ANY) -> list[Turn]:
        heard = self.listen()
        speakers, _ = assign_speakers(heard, count)
        return find_turns(heard.active, speakers, len(self.samples) / RATE_HZ)[0]


def round_table(speakers: int, rounds: int = 3, turn_s: float = 3.0) -> Room:
    """Everybody talks once in each round, with pauses of half a second."""
    turns, at_s = [], 0.5
    for place in range(rounds * speakers):
        turns.append((at_s, at_s + turn_s, place % speakers))
        at_s += turn_s + 0.5
    return Room(turns, at_s)


@pytest.mark.parametrize("seconds", [0.3, 4.0, 10.0, 10.01, 14.99, 15.0, 47.3])
def test_the_windows_cover_a_recording_of_any_length(seconds: float) -> None:
    samples = np.arange(1, round(seconds * RATE_HZ) + 1, dtype=np.float32)
    for pieces in (1, 9):
        found = list(windows_of(np.array_split(samples, pieces)))
        for number, (window, read) in enumerate(found):
            expected = samples[number * HOP : number * HOP + WINDOW]
            np.testing.assert_array_equal(window[: len(expected)], expected)
            assert not window[len(expected) :].any()
            assert read == min(number * HOP + WINDOW, len(samples))
        assert found[-1][1] == len(samples)
        assert len(found) == 1 or (len(found) - 2) * HOP + WINDOW < len(samples)


def test_nothing_has_no_windows() -> None:
    assert list(windows_of([])) == []


@pytest.mark.parametrize("speakers", [1, 2, 3, 12])
def test_the_speakers_are_found_with_their_turns(speakers: int) -> None:
    room = round_table(speakers)
    turns = room.turns()
    assert len({turn.speaker for turn in turns}) == speakers
    assert len(turns) == 3 * speakers
    for number, turn in enumerate(turns):
        assert turn.speaker == f"Speaker {number % speakers + 1}"
        assert turn.start_s == pytest.approx(0.5 + 3.5 * number, abs=2 * FRAME_S)
        assert turn.end_s == pytest.approx(3.5 + 3.5 * number, abs=2 * FRAME_S)


def test_the_number_may_be_given_or_bounded() -> None:
    room = round_table(4)
    for count, expected in (
        (SpeakerCount(2, 2), 2),
        (SpeakerCount(1, 3), 3),
        (SpeakerCount(5, 6), 5),
        (SpeakerCount(2, 8), 4),
    ):
        assert len({turn.speaker for turn in room.turns(count)}) == expected


def test_two_whom_the_network_takes_for_one_are_told_apart_by_their_voices() -> None:
    room = round_table(2)
    whole = room.activity

    def mistaken(window: FloatArray) -> NDArray[np.bool_]:
        active = whole(window)
        return np.stack([active.any(axis=1), *np.zeros((2, FRAMES), np.bool_)], axis=1)

    room.activity = mistaken  # type: ignore[method-assign]
    assert [turn.speaker for turn in room.turns()] == ["Speaker 1", "Speaker 2"] * 3


def test_silence_has_no_speakers() -> None:
    assert Room([], 12.0).turns() == []
    assert Room([], 12.0).turns(SpeakerCount(2, 2)) == []


def test_a_run_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    room = round_table(3)
    part = room.listen(until=3)
    part.save(tmp_path / "kept.npz")
    known = load_voices(tmp_path / "kept.npz")
    assert (known.windows, known.complete) == (3, False)
    heard: list[float] = []
    whole_activity = room.activity
    room.activity = lambda window: heard.append(1) or whole_activity(window)  # type: ignore
    resumed = room.listen(known)
    assert len(heard) == resumed.windows - 3
    whole = room.listen()
    np.testing.assert_array_equal(resumed.active, whole.active)
    np.testing.assert_array_equal(resumed.embeddings, whole.embeddings)
    assert resumed.complete


@pytest.mark.parametrize("harm", [b"", b"no zip", "half"])
def test_harmed_records_are_reported(tmp_path: Path, harm: bytes | str) -> None:
    path = tmp_path / "kept.npz"
    round_table(1).listen().save(path)
    path.write_bytes(harm if isinstance(harm, bytes) else path.read_bytes()[:300])
    with pytest.raises(CorruptFileError):
        load_voices(path)


def test_overlaps_are_where_two_talk_or_more() -> None:
    turns = [Turn(0, 4, "A"), Turn(3, 6, "B"), Turn(3.5, 5, "C"), Turn(6, 7, "A"), Turn(9, 10, "B")]
    assert overlaps(turns) == [(3, 5)]
    assert overlaps([Turn(0, 9, "A"), Turn(2, 4, "B"), Turn(4, 5, "C")]) == [(2, 5)]
    assert overlaps([]) == []


def test_a_flicker_inside_a_turn_is_no_turn_but_an_interjection_is() -> None:
    without_pause = Room([(1, 8, 0), (4, 4.4, 1), (9, 15, 1)], 16.0)
    assert [turn.speaker for turn in without_pause.turns()] == ["Speaker 1", "Speaker 2"]
    with_pauses = Room([(1, 4, 0), (4.4, 4.9, 1), (5.3, 8, 0), (9, 15, 1)], 16.0)
    speakers = [turn.speaker for turn in with_pauses.turns()]
    assert speakers == ["Speaker 1", "Speaker 2", "Speaker 1", "Speaker 2"]


def test_harmed_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    with torch.random.fork_rng(devices=[]):
        network = SegmentationNetwork()
    state = network.state_dict()
    torch.save({"format_version": 1, "state_dict": state}, path)
    loaded = load_segmentation(path)
    assert torch.equal(loaded.classifier.weight, network.classifier.weight)
    whole = path.read_bytes()
    lacking = {name: value for name, value in state.items() if "lstm" not in name}
    for harm in (
        b"no weights",
        whole[: len(whole) // 2],
        {"format_version": 1, "state_dict": lacking},
        {"format_version": 2, "state_dict": state},
        [1],
    ):
        if isinstance(harm, bytes):
            path.write_bytes(harm)
        else:
            torch.save(harm, path)
        with pytest.raises(StudioError, match="is damaged"):
            load_segmentation(path)


def test_a_window_has_589_frames() -> None:
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        answer = SegmentationNetwork().eval()(torch.zeros(1, 1, WINDOW))
    assert answer.shape == (1, FRAMES, 7)


# -- The script that measures ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "rate"),
    [
        ([(0, 10, "x"), (10, 20, "y")], 0.0),
        ([(0, 10, "x"), (10, 18, "y")], 0.1),  # missed
        ([(0, 10, "x"), (10, 24, "y")], 0.2),  # false alarm
        ([(0, 20, "x")], 0.5),  # one speaker for both
        ([(0, 12, "x"), (12, 20, "y")], 0.1),
        ([(0, 10, "x"), (8, 20, "y")], 0.1),  # an overlap that is none
        ([], 1.0),
    ],
)
def test_the_error_rate_of_cases_that_were_computed_by_hand(
    found: list[tuple[float, float, str]], rate: float
) -> None:
    reference = [(0.0, 10.0, "A"), (10.0, 20.0, "B")]
    assert error_rate(reference, found)["rate"] == pytest.approx(rate, abs=1e-3)


def test_a_collar_forgives_what_is_near_a_boundary() -> None:
    reference = [(0.0, 10.0, "A"), (10.0, 20.0, "B")]
    late = [(0.2, 10.2, "x"), (10.2, 20.2, "y")]
    assert error_rate(reference, late)["rate"] > 0.02
    assert error_rate(reference, late, collar_s=0.25)["rate"] == 0.0
