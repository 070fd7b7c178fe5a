"""What so many workers carry, computed from what one was measured to do (docs/scale.md).

`python bench/capacity.py` prints the tables of that page; with figures of your own (from
`app.py bench`, `bench/tts_server.py`, or `/metrics`) it computes yours:

    python bench/capacity.py --speech-a-second 40 --first-chunk-s 0.2 --heard-a-second 60

The model: a listener takes a second of speech a second, so a worker that makes S of them plays
floor(S) streams without a gap. Requests come by chance (Poisson) and hold a stream for as long as
their speech lasts; the next free stream takes the one that waited longest. Erlang C says how many
listeners there may be for 19 of 20 requests to be begun at once.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WORKERS = (1, 10, 100)
# Of docs/performance.md. A worker of two Xeon cores: Kokoro, streamed, 295 words. One core: Whisper
# base, int8, 24.7 s of speech in 8.7 s.
KOKORO_SPEECH_A_SECOND, KOKORO_FIRST_CHUNK_S = 3.5, 0.9
WHISPER_HEARD_A_SECOND = 24.7 / 8.7
REQUEST_S, LATE = 6.0, 0.05
_PCM_KB_S, _MP3_KB_S = 48, 10


@dataclass(frozen=True)
class Load:
    """What workers carry: streams without a gap, and listeners of which few have to wait."""

    workers: int
    streams: int
    listeners: float
    requests_a_second: float


def chance_to_wait(streams: int, listeners: float) -> float:
    """Erlang C: how likely a request finds all streams taken, with so many listeners on average,
    fewer than there are streams."""
    blocked = 1.0  # Erlang B, by its recursion
    for number in range(1, streams + 1):
        blocked = listeners * blocked / (number + listeners * blocked)
    return blocked / (1 - listeners / streams * (1 - blocked))


def carried(workers: int, speech_a_second: float, request_s: float = REQUEST_S) -> Load:
    """The highest load at which 19 of 20 requests are begun at once.

    `speech_a_second` is the speech that a worker makes in a second, `request_s` how much of it a
    request asks for on average. A worker slower than speech plays no stream without a gap.
    """
    streams = workers * math.floor(speech_a_second)
    low, high = 0.0, float(streams)
    for _ in range(60 if streams else 0):
        middle = (low + high) / 2
        if chance_to_wait(streams, middle) <= LATE:
            low = middle
        else:
            high = middle
    return Load(workers, streams, low, low / request_s)


def hours_a_day(workers: int, seconds_a_second: float) -> float:
    """Hours of sound that workers make or hear in a day without pause."""
    return workers * seconds_a_second * 24


def speaking_table(
    speech_a_second: float, request_s: float, workers: Sequence[int] = WORKERS
) -> str:
    """Live speech."""
    lines = [
        "| workers | streams without a gap | listeners, 19 of 20 begun at once "
        "| requests a second | as pcm | as mp3 |",
        "|---|---|---|---|---|---|",
    ]
    for count in workers:
        load = carried(count, speech_a_second, request_s)
        pcm, mp3 = (load.listeners * kb / 1000 for kb in (_PCM_KB_S, _MP3_KB_S))
        lines.append(
            f"| {count} | {load.streams} | {load.listeners:,.1f} | {load.requests_a_second:,.2f} | "
            f"{pcm:,.2f} MB/s | {mp3:,.2f} MB/s |"
        )
    return "\n".join(lines)


def batch_table(rates: Iterable[tuple[str, float]], workers: Sequence[int] = WORKERS) -> str:
    """Batch work: hours of sound a day."""
    lines = [
        f"| workers | {' | '.join(map(str, workers))} |",
        f"|---|{'---|' * len(workers)}",
    ]
    for name, rate in rates:
        cells = (f"{hours_a_day(count, rate):,.0f} h" for count in workers)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def tables() -> tuple[str, str]:
    """Those of docs/scale.md."""
    rates = (
        ("speech made (Kokoro, two cores each)", KOKORO_SPEECH_A_SECOND),
        ("recordings transcribed (Whisper base, one core each)", WHISPER_HEARD_A_SECOND),
    )
    return speaking_table(KOKORO_SPEECH_A_SECOND, REQUEST_S), batch_table(rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech-a-second", type=float, default=KOKORO_SPEECH_A_SECOND)
    parser.add_argument("--first-chunk-s", type=float, default=KOKORO_FIRST_CHUNK_S)
    parser.add_argument("--heard-a-second", type=float, default=WHISPER_HEARD_A_SECOND)
    parser.add_argument("--request-s", type=float, default=REQUEST_S)
    parser.add_argument("--workers", type=int, nargs="+", default=list(WORKERS))
    given = parser.parse_args()
    print(speaking_table(given.speech_a_second, given.request_s, given.workers))
    most = max(1, math.floor(given.speech_a_second))
    first_s = given.first_chunk_s
    print(f"\nFirst sound: {first_s:.1f} s alone, {most * first_s:.1f} s for the last of {most}.\n")
    rates = (("made", given.speech_a_second), ("transcribed", given.heard_a_second))
    print(batch_table(rates, given.workers))


if __name__ == "__main__":
    main()
