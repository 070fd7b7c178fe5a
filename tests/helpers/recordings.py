"""Recordings as cameras, phones and editors make them: several tracks, late sound, gaps."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.stream import Disposition

from modules.core_components.values import FloatArray

FRAMES_PER_S = 5


@dataclass(frozen=True)
class SoundTrack:
    """Samples [n] or [channels, n] that begin `start_s` after the pictures.

    Where `gap_at_s` is given, the packets from there on come `gap_s` later.
    """

    samples: FloatArray
    rate_hz: int
    start_s: float = 0.0
    gap_at_s: float | None = None
    gap_s: float = 0.0
    language: str = ""
    title: str = ""
    is_default: bool = False


def make_video(
    container: str,
    codecs: tuple[str, str],
    tracks: Sequence[SoundTrack],
    video_s: float,
    pictures: bool = True,
) -> bytes:
    """A file of black pictures (`codecs` are those of picture and sound) with its tracks."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        picture_stream: Any = None
        if pictures:
            picture_stream = output.add_stream(codecs[0], rate=_frame_rate(codecs[0]))
            picture_stream.width, picture_stream.height = 176, 144
            picture_stream.pix_fmt = "yuv420p"
        streams = [_sound_stream(output, codecs[1], track) for track in tracks]
        packets = []
        if pictures:
            black = np.zeros((144, 176, 3), np.uint8)
            for _ in range(round(video_s * _frame_rate(codecs[0]))):
                frame = av.VideoFrame.from_ndarray(black, format="rgb24")
                packets += picture_stream.encode(frame)
            packets += picture_stream.encode(None)
        for stream, track in zip(streams, tracks, strict=True):
            packets += _sound_packets(stream, track)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            output.mux(packet)
    return buffer.getvalue()


def _frame_rate(codec: str) -> int:
    return 25 if codec in ("mpeg1video", "mpeg2video") else FRAMES_PER_S


def _sound_stream(output: Any, codec: str, track: SoundTrack) -> Any:
    channels = np.atleast_2d(track.samples).shape[0]
    stream = output.add_stream(codec, rate=track.rate_hz)
    stream.bit_rate = 128_000
    stream.layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    if track.language:
        stream.metadata["language"] = track.language
    if track.title:
        stream.metadata["title"] = track.title
    stream.disposition = Disposition.default if track.is_default else Disposition(0)
    return stream


def _sound_packets(stream: Any, track: SoundTrack) -> list[Any]:
    samples = np.ascontiguousarray(np.atleast_2d(track.samples), dtype=np.float32)
    layout = stream.layout.name
    fmt = stream.codec_context.codec.audio_formats[0].name
    stream.codec_context.open()
    resampler = av.AudioResampler(
        format=fmt,
        layout=layout,
        rate=track.rate_hz,
        frame_size=stream.codec_context.frame_size or 1024,
    )
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
    frame.sample_rate, frame.time_base, frame.pts = track.rate_hz, Fraction(1, track.rate_hz), 0
    made = []
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        made += stream.encode(piece)
    made += stream.encode(None)
    for packet in made:
        at_s = float(packet.pts * packet.time_base)
        late_s = track.start_s
        if track.gap_at_s is not None and at_s >= track.gap_at_s:
            late_s += track.gap_s
        moved = round(late_s / packet.time_base)
        packet.pts, packet.dts = packet.pts + moved, packet.dts + moved
    return made
