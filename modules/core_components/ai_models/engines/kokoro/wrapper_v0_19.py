"""Kokoro v0.19, the first release: another layout of the same network, and other symbols.

Its checkpoint holds the parts one level deeper; its configuration has neither the vocabulary nor
the sizes of the ALBERT, which stood in the program then (StyleTTS2's symbols, 178 of them). It was
trained on espeak-ng's spelling of sounds, so misaki's short signs are written out for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modules.core_components.ai_models.engines.kokoro.checkpoint import build_kmodel, read_config
from modules.core_components.ai_models.engines.kokoro.wrapper import KokoroV1Wrapper

WEIGHTS_FILE = "kokoro-v0_19.pth"
_WITHIN = "net"

_MARKS = ';:,.!?¡¿—…"«»“” '
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_IPA = (
    "ɑɐɒæɓʙβɔɕçɗɖðʤəɘɚɛɜɝɞɟʄɡɠɢʛɦɧħɥʜɨɪʝɭɬɫɮʟɱɯɰŋɳɲɴøɵɸθœɶʘɹɺɾɻʀʁɽʂʃʈʧʉʊʋⱱʌɣɤʍχʎʏʑʐʒʔʡʕʢ"
    "ǀǁǂǃˈˌːˑʼʴʰʱʲʷˠˤ˞↓↑→↗↘'\u0329'ᵻ"
)
_ALBERT = {
    "hidden_size": 768,
    "num_attention_heads": 12,
    "intermediate_size": 2048,
    "max_position_embeddings": 512,
    "num_hidden_layers": 12,
}

# misaki's signs for what espeak-ng writes with two: github.com/hexgrad/misaki, EN_PHONES.md.
SPELLED_OUT = {
    "A": "eɪ",
    "I": "aɪ",
    "O": "oʊ",
    "Q": "əʊ",
    "W": "aʊ",
    "Y": "ɔɪ",
    "ʤ": "dʒ",
    "ʧ": "tʃ",
    "ᵊ": "ə",
    "T": "ɾ",
    "(": "«",
    ")": "»",
}


class KokoroV019Wrapper(KokoroV1Wrapper):
    """One loaded Kokoro v0.19; see `KokoroV1Wrapper`."""

    @staticmethod
    def _load(config_path: Path, model_path: Path) -> Any:
        config = read_config(config_path, _completed)
        return build_kmodel(config, config_path, model_path, _WITHIN)

    @staticmethod
    def readable(config_path: Path) -> frozenset[str]:
        return frozenset(read_config(config_path, _completed)["vocab"]) | frozenset(SPELLED_OUT)

    def _symbols(self, phonemes: str) -> str:
        return super()._symbols("".join(SPELLED_OUT.get(sound, sound) for sound in phonemes))

    def _of_phonemes(self, phonemes: str, durations_frames: NDArray[np.int64]) -> NDArray[np.int64]:
        counts = [len(SPELLED_OUT.get(sound, sound)) for sound in phonemes]
        starts = np.cumsum([0, 1, *counts])
        total: NDArray[np.int64] = np.add.reduceat(durations_frames, starts)
        return total


def _completed(config: dict[str, Any]) -> dict[str, Any]:
    """The old configuration in the form of the new one; what it does name is kept."""
    old_decoder = config.get("decoder", {})
    decoder = {name: value for name, value in old_decoder.items() if name != "type"}
    return {"istftnet": decoder, "plbert": _ALBERT, **config, "vocab": _vocabulary()}


def _vocabulary() -> dict[str, int]:
    """Symbol to id; 0 is the padding. Where a symbol occurs twice, its later place counts."""
    return {symbol: index for index, symbol in enumerate(_MARKS + _LETTERS + _IPA, start=1)}
