"""The symbols of sounds: StyleTTS2's, of which Kokoro v0.19 was made, and misaki's short ones."""

from __future__ import annotations

_MARKS = ';:,.!?¡¿—…"«»“” '
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_IPA = (
    "ɑɐɒæɓʙβɔɕçɗɖðʤəɘɚɛɜɝɞɟʄɡɠɢʛɦɧħɥʜɨɪʝɭɬɫɮʟɱɯɰŋɳɲɴøɵɸθœɶʘɹɺɾɻʀʁɽʂʃʈʧʉʊʋⱱʌɣɤʍχʎʏʑʐʒʔʡʕʢ"
    "ǀǁǂǃˈˌːˑʼʴʰʱʲʷˠˤ˞↓↑→↗↘'\u0329'ᵻ"
)

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


def styletts2_vocabulary() -> dict[str, int]:
    """Symbol to id; 0 is the padding. Where a symbol occurs twice, its later place counts."""
    return {symbol: index for index, symbol in enumerate(_MARKS + _LETTERS + _IPA, start=1)}


def all_symbols() -> frozenset[str]:
    """What the readers may write: a pipeline without a model takes all of it.

    Besides StyleTTS2's symbols and misaki's short ones those that Kokoro v1.0 added: the sign of
    nasal vowels, and the sounds of Japanese and Mandarin.
    """
    return frozenset(styletts2_vocabulary()) | frozenset(SPELLED_OUT) | frozenset("\u0303ᵝꭧʣʥʦʨ")
