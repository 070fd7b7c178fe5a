"""Reading a wav file while it arrives.

Servers that stream do not know the length yet: the header then has 0 or the largest number, and
the sound goes on until the end of the answer. Format: Microsoft and IBM, Multimedia Programming
Interface 1.0 (RIFF, WAVE), and WAVE_FORMAT_EXTENSIBLE.
"""

from __future__ import annotations

import struct

import numpy as np

from modules.core_components.texts import _
from modules.core_components.values import FloatArray

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_LONGEST_HEADER = 1_000_000  # some files have pictures before the sound
_UNKNOWN = (0, 0x7FFFFFFF, 0xFFFFFFFF)
_RATES_HZ = range(4_000, 384_001)


class NotWavError(ValueError):
    """The bytes are no wav file that can be read; the text says why."""


class WavStream:
    """Takes the bytes of a wav file in pieces of any size and gives its sound.

    16, 24 and 32-bit integers and 32-bit floats, of which the channels are averaged.
    """

    def __init__(self) -> None:
        self._held = b""
        self._kind = (0, 0, 0)  # format, channels, bits
        self.sample_rate_hz = 0
        self._left: int | None = None  # bytes of sound to come; None before the sound
        self._is_endless = False  # the header did not say how many

    def feed(self, content: bytes) -> FloatArray:
        """The sound in these bytes as mono float32 [n]; empty while the header is incomplete.

        Raises NotWavError.
        """
        self._held += content
        if self._left is None and not self._read_header():
            return np.zeros(0, np.float32)
        return self._decode()

    def finish(self) -> None:
        """Raises NotWavError where the file breaks off: in its header, or before its length."""
        if self._left is None or (self._left and not self._is_endless):
            raise NotWavError(_("it breaks off"))

    def _read_header(self) -> bool:
        """Goes on to the sound; False where more bytes are needed."""
        held = self._held
        if not b"RIFF".startswith(held[:4]) and held[:4] not in (b"RIFF", b"RF64"):
            raise NotWavError(_("it does not begin as one"))
        if len(held) < 12:
            return False
        if held[8:12] != b"WAVE":
            raise NotWavError(_("it is another kind of RIFF file"))
        at = 12
        while len(held) >= at + 8:
            name, size = struct.unpack_from("<4sI", held, at)
            if name == b"data":
                self._start(size)
                self._held = held[at + 8 :]
                return True
            if at + 8 + size > _LONGEST_HEADER:
                raise NotWavError(_("its header is too long"))
            if len(held) < at + 8 + size:
                return False
            if name == b"fmt ":
                self._read_format(held[at + 8 : at + 8 + size])
            at += 8 + size + size % 2
        return False

    def _read_format(self, chunk: bytes) -> None:
        if len(chunk) < 16:
            raise NotWavError(_("its header is damaged"))
        kind, channels, rate_hz, _bytes_a_s, _frame, bits = struct.unpack_from("<HHIIHH", chunk)
        if kind == _EXTENSIBLE and len(chunk) >= 26:
            kind = struct.unpack_from("<H", chunk, 24)[0]
        known = bits in (16, 24, 32) if kind == _PCM else (kind, bits) == (_FLOAT, 32)
        if not known or not 1 <= channels <= 8 or rate_hz not in _RATES_HZ:
            raise NotWavError(
                _(
                    "format {kind} with {bits} bits, {channels} channels and {rate_hz} Hz is not "
                    "known",
                    kind=kind,
                    bits=bits,
                    channels=channels,
                    rate_hz=rate_hz,
                )
            )
        self._kind, self.sample_rate_hz = (kind, channels, bits), rate_hz

    def _start(self, size: int) -> None:
        if not self.sample_rate_hz:
            raise NotWavError(_("its header has no format"))
        self._is_endless = size in _UNKNOWN
        self._left = 2**62 if self._is_endless else size

    def _decode(self) -> FloatArray:
        kind, channels, bits = self._kind
        frame = channels * bits // 8
        usable = min(len(self._held), self._left or 0) // frame * frame
        content, self._held = self._held[:usable], self._held[usable:]
        self._left = (self._left or 0) - usable
        if self._left < frame:
            self._held, self._left = b"", 0  # what follows the sound are remarks
        if bits == 24:
            wide = np.zeros((usable // 3, 4), np.uint8)
            wide[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
            samples = wide.reshape(-1).view("<i4").astype(np.float32) / 2**31
        elif kind == _FLOAT:
            samples = np.frombuffer(content, "<f4").astype(np.float32)
        else:
            whole = np.frombuffer(content, "<i2" if bits == 16 else "<i4")
            samples = (whole / 2.0 ** (bits - 1)).astype(np.float32)
        if not np.isfinite(samples).all():
            raise NotWavError(_("it holds values that are not numbers"))
        return samples.reshape(-1, channels).mean(axis=1, dtype=np.float32)
