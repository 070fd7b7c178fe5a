"""Kokoro's voices by name: those of the model, the user's own, and mixes of both."""

from __future__ import annotations

import difflib
import hashlib
import pickle
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modules.core_components.atomic import atomic_path
from modules.core_components.errors import BadInputError, CorruptFileError, ModelMissingError
from modules.core_components.library import VoiceLibrary
from modules.core_components.texts import _, mark
from modules.core_components.values import FloatArray, VoicePrompt

if TYPE_CHECKING:
    import torch


# -- Mixes of voices as people write them: "af_bella(2)+af_sky(1)-af_nicole(0.5)" ------------------

# Beyond this, numbers leave the range of every voice and the model only hisses.
MOST_TIMES = 10.0
MOST_VOICES = 12
_PART = re.compile(r"\s*([+-]?)\s*([^\s()+\-]+)\s*(?:\(\s*(\d{1,9}(?:\.\d{1,9})?)\s*\))?\s*")
_EXAMPLE = mark('Write a name, or a mix like "af_bella(2)+af_sky(1)" or "af_heart-af_nicole(0.5)".')


def is_mix(text: str) -> bool:
    """Whether `text` is more than one bare name; what it says may still be wrong."""
    return any(sign in text for sign in "+-()")


def parse_mix(text: str) -> tuple[tuple[str, float], ...]:
    """Names and shares of a mix; the shares add up to 1.

    A weight not given is 1, and a minus takes a voice away. Weights are divided by their sum with
    signs: what all voices have in common, the level of speech itself, then stays as it is, and
    only what sets them apart is mixed. "a-b(0.5)" is 2 a - b: a, and as much again of what it has
    and b has not. A sum of 0 or less leaves nothing to divide by and is refused.

    Raises BadInputError when the text is no such list, is longer than `MOST_VOICES`, or counts a
    voice more than `MOST_TIMES` over.
    """
    weights = _weights(text)
    total = sum(weight for _unused, weight in weights)
    if total <= 0:
        raise BadInputError(
            _("The weights in {text!r} add up to {total:g}.", text=text, total=total),
            _("What is added must weigh more than what is taken away."),
        )
    shares = tuple((name, weight / total) for name, weight in weights)
    if any(abs(share) > MOST_TIMES for _unused, share in shares):
        raise BadInputError(
            _("{text!r} takes away nearly all that it adds; what is left is no voice.", text=text),
            _("Take away less."),
        )
    return shares


def mix_names(text: str) -> tuple[str, ...]:
    """The names in a mix, whatever their weights. Raises BadInputError when it cannot be read."""
    return tuple(name for name, _unused in _weights(text))


def format_mix(weights: Iterable[tuple[str, float]]) -> str:
    """Names and weights as `parse_mix` reads them; parts that weigh nothing are left out."""
    parts = [
        f"{'-' if weight < 0 else '+'}{name}({abs(weight):.4g})"
        for name, weight in weights
        if name and weight
    ]
    return "".join(parts).removeprefix("+")


def _weights(text: str) -> list[tuple[str, float]]:
    weights: list[tuple[str, float]] = []
    position = 0
    while position < len(text) or not weights:
        match = _PART.match(text, position)
        if match is None or (weights and not match[1]):
            raise BadInputError(_("{text!r} names no voice.", text=text[:200]), _(_EXAMPLE))
        if len(weights) == MOST_VOICES:
            raise BadInputError(
                _("A mix can have {most_voices} voices, not more.", most_voices=MOST_VOICES),
                _(_EXAMPLE),
            )
        weight = float(match[3] or 1)
        weights.append((match[2], -weight if match[1] == "-" else weight))
        position = match.end()
    return weights


# -- Style packs on disk, in the three forms that other Kokoro programs read -----------------------

# One style for each number of phonemes: the first half of its 256 numbers is the timbre, the second
# half the prosody.
PACK_SHAPE = (510, 1, 256)
_OLD_SHAPE = (511, 1, 256)
SUFFIXES = (".pt", ".safetensors", ".bin")
_RAW_TYPE = "<f4"
_RAW_BYTES = 510 * 256 * 4
# A pack takes half a megabyte in every form; nothing larger is even read.
_MOST_BYTES = 2**22
# The stock voices keep within 3.2.
_MOST = 100.0
_TENSOR_NAME = "style"
# What the readers raise for bytes that they cannot make sense of.
_UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    OSError,
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
)


def load_pack(path: Path) -> FloatArray:
    """The pack, float32 [510, 1, 256], in a file.

    Of `.pt` no code is ever unpickled; `.safetensors` and `.pt` must hold one tensor, `.bin` the
    bare numbers as little-endian float32. Raises BadInputError that names the file and what is
    wrong with it.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    suffix = _checked_suffix(path)
    try:
        _check_size(path)
        if suffix == ".bin":
            return checked_pack(_read_raw(path), path.name)
        if suffix == ".safetensors":
            tensors = load_file(path)
            pack = next(iter(tensors.values())) if len(tensors) == 1 else None
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
            pack = content.float().numpy() if isinstance(content, torch.Tensor) else None
    except (*_UNREADABLE, SafetensorError) as error:
        reason = str(error).partition("\n")[0][:200]  # torch explains itself at length
        raise BadInputError(
            _("{name} cannot be read as a voice ({reason}).", name=path.name, reason=reason),
            _("Choose a Kokoro voice file."),
        ) from error
    if pack is None:
        raise BadInputError(
            _("{name} does not hold one voice.", name=path.name), _("Choose a Kokoro voice file.")
        )
    return checked_pack(pack, path.name)


def save_pack(pack: FloatArray, path: Path) -> Path:
    """Writes the pack in the form that the suffix names, whole or not at all."""
    import torch
    from safetensors.numpy import save_file

    suffix = _checked_suffix(path)
    pack = checked_pack(pack, path.name)
    with atomic_path(path) as partial:
        if suffix == ".safetensors":
            save_file({_TENSOR_NAME: pack}, partial)
        elif suffix == ".bin":
            partial.write_bytes(pack.astype(_RAW_TYPE).tobytes())
        else:
            torch.save(torch.from_numpy(pack.copy()), partial)
    return path


def pack_bytes(pack: FloatArray) -> bytes:
    """The pack as the content of a `.safetensors` file."""
    from safetensors.numpy import save

    return save({_TENSOR_NAME: checked_pack(pack, _("The voice"))})


def checked_pack(pack: FloatArray, label: str) -> FloatArray:
    """`pack` as contiguous float32; BadInputError when its shape or its numbers are wrong.

    Packs of v0.19 begin with a row for no phonemes at all, which is left out.
    """
    if pack.shape == _OLD_SHAPE:
        pack = pack[1:]
    if pack.shape != PACK_SHAPE:
        shape = " x ".join(map(str, pack.shape))
        raise BadInputError(
            _(
                "{label} has the shape {shape}, and a Kokoro voice has 510 x 1 x 256.",
                label=label,
                shape=shape,
            ),
            _("Choose a Kokoro voice file."),
        )
    pack = np.ascontiguousarray(pack, dtype=np.float32)
    if not np.isfinite(pack).all():
        raise BadInputError(_("{label} holds numbers that are not finite.", label=label))
    if np.abs(pack).max() > _MOST:
        raise BadInputError(_("{label} holds numbers beyond those of any voice.", label=label))
    return pack


def pack_sha256(pack: FloatArray) -> str:
    """The hash of the numbers, the same in whatever form they were kept."""
    return hashlib.sha256(np.ascontiguousarray(pack, dtype=_RAW_TYPE).tobytes()).hexdigest()


def _read_raw(path: Path) -> FloatArray:
    content = path.read_bytes()
    if len(content) != _RAW_BYTES:
        raise BadInputError(
            _(
                "{name} has {count:,} bytes; a bare voice has {raw_bytes:,}.",
                name=path.name,
                count=len(content),
                raw_bytes=_RAW_BYTES,
            ),
            _("It must hold exactly 510 x 256 numbers of four bytes."),
        )
    return np.frombuffer(content, dtype=_RAW_TYPE).reshape(PACK_SHAPE)


def _check_size(path: Path) -> None:
    if path.stat().st_size > _MOST_BYTES:
        raise BadInputError(
            _("{name} is too large to be a voice.", name=path.name),
            _("A Kokoro voice takes half a megabyte."),
        )


def _checked_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInputError(
            _("{name} is no voice file.", name=path.name),
            _("Voice files end in {suffixes}.", suffixes=", ".join(SUFFIXES)),
        )
    return suffix


_CACHED_PACKS = 16  # half a megabyte each


class VoiceFolder:
    """The voices of a model's folder `voices` and the user's own. Thread-safe."""

    def __init__(self, folder: Path, own: VoiceLibrary | None = None, model_id: str = "") -> None:
        self._folder = folder
        self._own = own
        self._model_id = model_id
        self._lock = threading.Lock()
        # By path, size and time, since users may replace their own voices.
        self._packs: OrderedDict[tuple[Path, int, int], FloatArray] = OrderedDict()

    def names(self) -> tuple[str, ...]:
        """The stock voices in alphabetical order ("bf_emma" is British and a woman's), then own."""
        return tuple(self._paths())

    def pack(self, voice: str) -> FloatArray:
        """The style pack, float32 [510, 1, 256], of a voice or of a mix (see `parse_mix`).

        Raises BadInputError for a name that does not exist or a mix that cannot be read,
        CorruptFileError for a file that is no style pack.
        """
        parts = parse_mix(voice)
        paths = self._paths()
        if len(parts) == 1:
            return self._single(parts[0][0], paths)
        mixed = sum(self._single(name, paths) * np.float32(share) for name, share in parts)
        return np.asarray(mixed, dtype=np.float32)

    def _paths(self) -> dict[str, Path]:
        stock = {path.stem: path for path in sorted(self._folder.glob("[!.]*.pt"))}
        own = self._own.list(self._model_id) if self._own else ()
        return stock | {voice.name: voice.path for voice in own if voice.name not in stock}

    def _single(self, name: str, paths: dict[str, Path]) -> FloatArray:
        if not paths:
            raise ModelMissingError(
                _("There are no voices of Kokoro yet."),
                _("Download the model on the Models tab."),
                details=f"None in {self._folder}.",
            )
        if name not in paths:
            near = difflib.get_close_matches(name, paths, n=3) or [*paths][:3]
            raise BadInputError(
                _("Kokoro has no voice {name!r}.", name=name),
                _("Did you mean {near}?", near=", ".join(near)),
            )
        return self._read(paths[name])

    def _read(self, path: Path) -> FloatArray:
        try:
            status = path.stat()
            key = (path, status.st_size, status.st_mtime_ns)
            with self._lock:
                if key in self._packs:
                    self._packs.move_to_end(key)
                    return self._packs[key]
            pack = load_pack(path)
        except (BadInputError, OSError) as error:
            raise self._unusable(path, error) from error
        pack.setflags(write=False)
        with self._lock:
            self._packs[key] = pack
            while len(self._packs) > _CACHED_PACKS:
                self._packs.popitem(last=False)
        return pack

    def _unusable(self, path: Path, error: Exception) -> CorruptFileError:
        remedy = (
            _("Delete the model on the Models tab and download it again.")
            if path.parent == self._folder
            else _("Delete it on the Voice Presets tab and import it again.")
        )
        reason = error.message if isinstance(error, BadInputError) else str(error)
        return CorruptFileError(
            _("The voice {stem} cannot be used: {reason}", stem=path.stem, reason=reason), remedy
        )


# -- Voices in the form that synthesis takes -------------------------------------------------------

ENGINE = "kokoro"
STYLE_TENSOR = "style"
OFFSETS_TENSOR = "layer_offsets"


@dataclass(frozen=True, eq=False)
class SpeakingVoice:
    """`pack` float32 [510, 1, 256], an ordinary Kokoro voice.

    A fitted voice also has `layer_offsets` float32 [layers, 128], added to the style of each
    AdaIN layer of the decoder, and its own pace `speed` (1 is the pack's).
    """

    pack: FloatArray
    layer_offsets: FloatArray | None = None
    speed: float = 1.0

    def style(self, phoneme_count: int) -> torch.Tensor:
        """The style, float32 [1, 256], for an utterance of that many phonemes."""
        import torch

        return torch.from_numpy(self.pack[phoneme_count - 1].copy())

    def offsets(self) -> torch.Tensor | None:
        """The layers' offsets as a tensor, if the voice has some."""
        import torch

        return None if self.layer_offsets is None else torch.from_numpy(self.layer_offsets)


def prompt_of_pack(pack: FloatArray, model_id: str, model_revision: str) -> VoicePrompt:
    """A style pack as a prompt; its key is the hash of its numbers."""
    return VoicePrompt(
        key=pack_sha256(pack),
        engine=ENGINE,
        model_id=model_id,
        model_revision=model_revision,
        tensors={STYLE_TENSOR: pack},
    )


def voice_of_prompt(prompt: VoicePrompt) -> SpeakingVoice:
    """The voice in a prompt. Raises BadInputError for a prompt that is not Kokoro's."""
    if prompt.engine != ENGINE or STYLE_TENSOR not in prompt.tensors:
        raise BadInputError(
            _("This voice was prepared for {engine}, not for Kokoro.", engine=prompt.engine),
            _("Prepare the sample again with this engine."),
        )
    return SpeakingVoice(
        pack=checked_pack(prompt.tensors[STYLE_TENSOR], _("The prepared voice")),
        layer_offsets=prompt.tensors.get(OFFSETS_TENSOR),
        speed=float(prompt.info.get("speed", 1.0)),
    )
