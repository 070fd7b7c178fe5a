"""Turning speech into the bytes of a sound file, and into fingerprints."""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from modules.core_components.audio.resample import StreamResampler, resample
from modules.core_components.errors import BadInputError
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Speech

FORMATS = ("wav", "flac", "mp3")

_MP3_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_LIBSNDFILE: Mapping[str, Mapping[str, Any]] = {
    "wav": {"format": "WAV", "subtype": "PCM_16"},
    "flac": {"format": "FLAC", "subtype": "PCM_16"},
    # Constant rate at libsndfile's middle compression: 80 kbit/s at 24 kHz.
    "mp3": {
        "format": "MP3",
        "subtype": "MPEG_LAYER_III",
        "bitrate_mode": "CONSTANT",
        "compression_level": 0.5,
    },
}


def to_pcm16(samples: FloatArray) -> NDArray[np.int16]:
    """float32 [n] as 16-bit integers; beyond -1..1 they are clipped and never wrap around.

    The scale is 32768, the one decoders divide by: what was read from a 16-bit file is written
    back unchanged. Raises BadInputError for NaN and infinity.
    """
    if not np.isfinite(samples).all():
        raise BadInputError(
            _("The audio holds values that are not numbers."),
            _("Generate it again, or use other audio."),
        )
    scaled = np.rint(samples.astype(np.float64) * 32768.0)
    return np.clip(scaled, -32768, 32767).astype(np.int16)


def file_parameters(fmt: str) -> Mapping[str, Any]:
    """libsndfile's names for a format. Raises BadInputError for none of FORMATS."""
    if fmt not in _LIBSNDFILE:
        raise BadInputError(
            _("Cannot write {fmt!r} files.", fmt=fmt),
            _("Choose {formats}.", formats=", ".join(FORMATS)),
        )
    return _LIBSNDFILE[fmt]


def encode_speech(speech: Speech, fmt: str) -> bytes:
    """A whole file of the format (wav and flac: 16-bit PCM, without loss beyond that; mp3).

    mp3 knows nine sample rates; speech at another one is resampled to the next higher.
    Raises BadInputError for an unknown format and for values that are not numbers.
    """
    import soundfile

    parameters = file_parameters(fmt)
    rate_hz = written_rate_hz(speech.sample_rate_hz, fmt)
    samples = resample(speech.samples, speech.sample_rate_hz, rate_hz)
    buffer = io.BytesIO()
    soundfile.write(buffer, to_pcm16(samples), rate_hz, **parameters)
    return buffer.getvalue()


def written_rate_hz(sample_rate_hz: int, fmt: str) -> int:
    """At which rate a file of the format holds speech of that one."""
    if fmt != "mp3" or sample_rate_hz in _MP3_RATES_HZ:
        return sample_rate_hz
    return next((rate for rate in _MP3_RATES_HZ if rate > sample_rate_hz), _MP3_RATES_HZ[-1])


def audio_sha256(speech: Speech) -> str:
    """Hash of the float32 samples and their rate: the same sound, whatever file it came from."""
    digest = RunningSha256(speech.sample_rate_hz)
    digest.feed(speech.samples)
    return digest.hexdigest()


class RunningSha256:
    """`audio_sha256` of speech that comes in pieces."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._digest = _started("float32", sample_rate_hz)

    def feed(self, samples: FloatArray) -> None:
        """The next samples, float32 [n]."""
        self._digest.update(samples.astype("<f4").tobytes())

    def hexdigest(self) -> str:
        """Of all that was fed so far."""
        return self._digest.hexdigest()


def pcm_sha256(speech: Speech) -> str:
    """Hash of the 16-bit samples and their rate: what a wav or flac file keeps of the speech."""
    digest = _started("int16", speech.sample_rate_hz)
    digest.update(to_pcm16(speech.samples).astype("<i2").tobytes())
    return digest.hexdigest()


def _started(kind: str, sample_rate_hz: int) -> hashlib._Hash:
    return hashlib.sha256(f"{kind} {sample_rate_hz} Hz\n".encode())


# Streaming: six formats, mono at 24 kHz. A streamed file cannot say how long it will be; a whole
# one can, since its header is written last. All of them begin with the first sample of the sound;
# mp3 and aac come in frames, and without a length they end with what fills the last one.

RATE_HZ = 24_000
# What RIFF has for "not known": as much as 32 bits can say, as FFmpeg writes it.
_UNKNOWN_BYTES = 0xFFFFFFFF


@dataclass(frozen=True)
class _Codec:
    """How FFmpeg's libraries make a format: container, codec, sample layout, bits a second."""

    container: str
    codec: str
    layout: str
    bit_rate: int = 0
    # Without these a stream would come in blocks of a second, or wait for a full buffer.
    options: Mapping[str, str] = field(default_factory=dict)
    # Samples in a packet, and how many a decoder gives before the first of the sound; where the
    # container says both, 0.
    packet_samples: int = 0
    delay_samples: int = 0


_MP3_ENCODER_DELAY = 576
# A decoder's own, by convention: players take it off together with the encoder's.
_MP3_DECODER_DELAY = 529

_CODECS: Mapping[str, _Codec] = {
    "mp3": _Codec(
        "mp3", "libmp3lame", "s16p", 96_000,
        packet_samples=576, delay_samples=_MP3_ENCODER_DELAY + _MP3_DECODER_DELAY,
    ),
    "opus": _Codec("ogg", "libopus", "s16", 48_000, {"page_duration": "200000"}),
    "aac": _Codec("adts", "aac", "fltp", 96_000, packet_samples=1024, delay_samples=1024),
    "flac": _Codec("flac", "flac", "s16"),
}  # fmt: skip
STREAM_FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
MEDIA_TYPES: Mapping[str, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}


class _Encoder(Protocol):
    def feed(self, samples: FloatArray) -> bytes: ...

    def finish(self) -> bytes: ...


def encode_pieces(pieces: Iterable[Speech], fmt: str) -> Iterator[bytes]:
    """The file's bytes as the pieces come; each piece is encoded before the next is asked for.

    Raises BadInputError for a format not in STREAM_FORMATS.
    """
    for _unused, content in encode_each(pieces, fmt):
        if content:
            yield content


def encode_each(pieces: Iterable[Speech], fmt: str) -> Iterator[tuple[Speech, bytes]]:
    """As `encode_pieces`, each piece with the bytes that came out when it went in.

    An encoder holds some sound back, so these may be none; what it still had at the end comes
    with a piece of no length.
    """
    encoder = _encoder(fmt, whole=False)
    resampler = StreamResampler(RATE_HZ)
    for piece in pieces:
        yield piece, encoder.feed(resampler.feed(piece.samples, piece.sample_rate_hz))
    if content := encoder.feed(resampler.finish()) + encoder.finish():
        yield Speech(np.zeros(0, np.float32), RATE_HZ), content


def encode_whole(pieces: Iterable[Speech], fmt: str) -> bytes:
    """A finished file whose header names its true length. Raises as `encode_pieces`."""
    encoder = _encoder(fmt, whole=True)
    resampler = StreamResampler(RATE_HZ)
    contents = [
        encoder.feed(resampler.feed(piece.samples, piece.sample_rate_hz)) for piece in pieces
    ]
    contents += [encoder.feed(resampler.finish()), encoder.finish()]
    content = b"".join(contents)
    return wav_header(len(content)) + content if fmt == "wav" else content


def wav_header(data_bytes: int = _UNKNOWN_BYTES) -> bytes:
    """The 44 bytes before 16-bit mono PCM at 24 kHz; without a length for one not known."""
    riff_bytes = min(data_bytes + 36, _UNKNOWN_BYTES)
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", riff_bytes, b"WAVE", b"fmt ", 16, 1, 1),
        *(RATE_HZ, RATE_HZ * 2, 2, 16, b"data", data_bytes),
    )


def _encoder(fmt: str, whole: bool) -> _Encoder:
    if fmt not in STREAM_FORMATS:
        raise BadInputError(
            _("Unknown audio format {fmt!r}.", fmt=fmt),
            _("Choose {stream_formats}.", stream_formats=", ".join(STREAM_FORMATS)),
        )
    if fmt == "pcm" or (fmt == "wav" and whole):
        return _PcmEncoder(b"")
    return _PcmEncoder(wav_header()) if fmt == "wav" else _CodecEncoder(_CODECS[fmt], whole)


class _PcmEncoder:
    """16-bit little-endian samples, with `header` before the first of them."""

    def __init__(self, header: bytes) -> None:
        self._header = header

    def feed(self, samples: FloatArray) -> bytes:
        header, self._header = self._header, b""
        return header + to_pcm16(samples).astype("<i2").tobytes()

    def finish(self) -> bytes:
        return b""


class _Pipe:
    """A file that can only be written, so that the muxer writes headers for a stream."""

    def __init__(self) -> None:
        self._content = bytearray()

    def write(self, content: bytes) -> int:
        self._content += content
        return len(content)

    def taken(self) -> bytes:
        content = bytes(self._content)
        self._content.clear()
        return content


class _CodecEncoder:
    """One of FFmpeg's encoders behind its muxer; a whole file comes out at the end only.

    Neither ADTS nor an mp3 that is streamed can say how many of the decoded samples are sound. The
    delay at the beginning is written into an mp3's info frame, for players that read it (FFmpeg and
    the browsers do; libsndfile wants to know the length as well, and begins 1,105 samples late).
    An aac's first packet holds the delay and is left out: the first 1,024 samples fade in for want
    of what they would have overlapped with.
    """

    def __init__(self, codec: _Codec, whole: bool) -> None:
        import av

        self._target: Any = io.BytesIO() if whole else _Pipe()
        self._whole = whole
        self._codec = codec
        self._container = _opened(self._target, codec)
        self._stream = self._container.add_stream(codec.codec, rate=RATE_HZ, layout="mono")
        self._stream.format = codec.layout
        if codec.bit_rate:
            self._stream.bit_rate = codec.bit_rate
        self._resampler: Any = av.AudioResampler(codec.layout, "mono", RATE_HZ)
        self._fed = 0
        self._packets = 0

    def feed(self, samples: FloatArray) -> bytes:
        import av

        if not len(samples):
            return b""
        frame: Any = av.AudioFrame.from_ndarray(to_pcm16(samples)[None, :], "s16", "mono")
        frame.sample_rate, frame.pts = RATE_HZ, self._fed
        self._fed += len(samples)
        for converted in self._resampler.resample(frame):
            self._mux(converted)
        return b"" if self._whole else self._target.taken()

    def finish(self) -> bytes:
        self._mux(None)
        self._container.close()
        return self._target.getvalue() if self._whole else self._target.taken()

    def _mux(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            begins = self._packets * self._codec.packet_samples
            self._packets += 1
            if self._codec.container == "mp3" and not self._whole and begins == 0:
                self._container.mux(self._info_packet(packet))
            if self._is_sound(begins):
                self._container.mux(packet)

    def _is_sound(self, begins: int) -> bool:
        """Whether the packet with the decoded samples from `begins` on has some of what was fed."""
        if not self._codec.packet_samples or (self._codec.container == "mp3" and self._whole):
            return True  # the container says which of its samples are sound
        first = self._codec.delay_samples if self._codec.container == "adts" else 0
        return first <= begins < self._codec.delay_samples + self._fed

    def _info_packet(self, first: Any) -> Any:
        import av

        packet = av.Packet(mp3_info_frame(bytes(first)))
        packet.stream, packet.time_base = self._stream, first.time_base
        packet.pts, packet.dts = first.pts, first.dts
        return packet


def _opened(target: Any, codec: _Codec) -> Any:
    """PyAV's container for writing, which flushes after every packet."""
    import av

    options = {"flush_packets": "1", **codec.options}
    return av.open(target, "w", format=codec.container, container_options=options)


def mp3_info_frame(first: bytes) -> bytes:
    """The silent frame before the frame `first` of a mono mp3 at 24 kHz: it names the delay.

    The layout is that of LAME (http://gabriel.mp3-tech.org/mp3infotag.html). FFmpeg reads the delay
    only where the number of frames or of bytes is given: the bytes are given as not known.
    """
    side_information = 9
    has_bytes = 2
    tag = struct.pack(
        ">4sII9s12xI9x",
        *(b"Info", has_bytes, _UNKNOWN_BYTES, b"LAME3.100"),
        _MP3_ENCODER_DELAY << 20,
    )
    frame = first[:4] + bytes(side_information) + tag
    return (frame + struct.pack(">H", _crc16(frame))).ljust(len(first), b"\0")


def _crc16(content: bytes) -> int:
    """CRC-16/ARC, which the info frame ends with."""
    crc = 0
    for byte in content:
        crc ^= byte
        for _unused in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc
