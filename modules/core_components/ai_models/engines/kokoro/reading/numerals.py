"""Numbers and signs in words, where the phonemizers do not read them well themselves.

Whole numbers are read by cn2an (Chinese) and num2words (Japanese); years, times, fractions, signs,
currencies and counters stand around them in a language's own order, which neither library knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import regex

from modules.core_components.ai_models.engines.kokoro.reading.languages import Language
from modules.core_components.text.reading.offset_text import OffsetText

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
# Not within a word in Latin letters ("mp3", "R&B").
_FOUND = regex.compile(
    rf"(?<![\p{{Latin}}\d.])(?:(?P<year>\d{{4}})(?=年)"
    rf"|(?P<hour>\d{{1,2}})[:：](?P<minute>\d\d)(?!\d)"
    rf"|(?P<above>\d+)/(?P<below>\d+)"
    rf"|(?:(?P<currency>[$＄€£¥￥])\s?)?(?P<number>{_NUMBER})\s?(?P<percent>[%％])?)"
    rf"|(?<!\p{{Latin}})(?P<sign>[+=×÷&%％℃°@#<>＋＝＆＠＃＜＞])(?!\p{{Latin}})"
)
_DATE = regex.compile(r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")
_RANGE = regex.compile(r"(?<=(?<![\d-])[1-9]\d{0,3})\s?[-–〜～]\s?(?=[1-9]\d{0,3}(?![\d-]))")
_TELEPHONE = regex.compile(r"(?<![\d-])0\d{1,4}(?:-\d{2,4}){1,3}(?!\d)")
_MINUS = regex.compile(r"(?<![\p{Latin}\d])-(?=\d)")

_HAN_DIGITS = "零一二三四五六七八九"
_KANA_DIGITS = ("ゼロ", "いち", "に", "さん", "よん", "ご", "ろく", "なな", "はち", "きゅう")
_LONGEST = 12  # digits; what is longer is read digit by digit, like a telephone number
_COUNTED = "个個只隻本张張条條位件次天种種台家所间間名块塊瓶杯辆輛座头頭匹口双雙对對"
_SIGNS = "+=×÷&%℃°@#<>"
_CHINESE_SIGN_NAMES = "加 等于 乘 除以 和 百分号 摄氏度 度 at 井号 小于 大于"
_JAPANESE_SIGN_NAMES = (
    "プラス イコール かける わる アンド パーセント 度 度 アットマーク シャープ 小なり 大なり"
)
_CHINESE_SIGNS = dict(zip(_SIGNS, _CHINESE_SIGN_NAMES.split(" "), strict=True))
_JAPANESE_SIGNS = dict(zip(_SIGNS, _JAPANESE_SIGN_NAMES.split(" "), strict=True))
_CHINESE_UNITS = {"$": "美元", "€": "欧元", "£": "英镑", "¥": "元"}
_JAPANESE_UNITS = {"$": "ドル", "€": "ユーロ", "£": "ポンド", "¥": "円"}
_WIDE = str.maketrans("＄￥＋＝％＆＠＃＜＞", "$¥+=%&@#<>")

# espeak-ng gets a text in parts between punctuation marks: "3,5" as a 3 and a 5.
_GROUPED = {
    **dict.fromkeys(("es", "it", "pt-br"), r"\d{1,3}(?:\.\d{3})+"),
    "fr-fr": r"\d{1,3}(?:[ .]\d{3})+",
    "hi": r"\d{1,3}(?:,\d\d)*,\d{3}",
}
_WITHIN = {
    "es": {",": " coma ", ".": " punto "},
    "fr-fr": {",": " virgule ", ".": " point "},
    "it": {",": " virgola ", ".": " punto "},
    "pt-br": {",": " vírgula ", ".": " ponto "},
    "hi": {".": " दशमलव ", ",": " "},
}
_MARK_WITHIN = regex.compile(r"(?<=\d)[.,:](?=\d)")


def numbers_in_words(text: OffsetText, language: Language) -> OffsetText:
    """`text` with numbers and signs in words: all of them in Chinese and Japanese; in the others
    that espeak-ng reads, only the marks within a number."""
    if language.code == "zh":
        return _with(text, _in_chinese, "到", "负")
    if language.code == "ja":
        return _with(text, _in_japanese, "から", "マイナス")
    if language.is_english:
        return text
    return _marks_within(text, language.code)


def _with(text: OffsetText, say: Callable[[Any], str], up_to: str, minus: str) -> OffsetText:
    text = text.replaced(_DATE, lambda date: f"{date[1]}年{int(date[2])}月{int(date[3])}日")
    text = text.replaced(_TELEPHONE, lambda number: number[0].replace("-", ""))
    return text.replaced(_MINUS, minus).replaced(_RANGE, up_to).replaced(_FOUND, say)


def _marks_within(text: OffsetText, code: str) -> OffsetText:
    grouped = regex.compile(rf"(?<![\d.,]){_GROUPED[code]}(?!\d)")
    text = text.replaced(grouped, lambda number: "".join(filter(str.isdigit, number[0])))
    return text.replaced(_MARK_WITHIN, lambda mark: _WITHIN[code].get(mark[0], " "))


def _in_chinese(found: Any) -> str:
    if found["year"]:
        return "".join(_HAN_DIGITS[int(digit)] for digit in found["year"])
    if found["hour"]:
        minutes = "" if found["minute"] == "00" else f"{_chinese(found['minute'])}分"
        return f"{_chinese(found['hour'])}点{minutes}"
    if found["above"]:
        return f"{_chinese(found['below'])}分之{_chinese(found['above'])}"
    if found["sign"]:
        return _CHINESE_SIGNS[found["sign"].translate(_WIDE)]
    counted = found["number"] == "2" and found.string[found.end() : found.end() + 1] in _COUNTED
    number = "两" if counted and found.end() < len(found.string) else _chinese(found["number"])
    unit = _CHINESE_UNITS.get((found["currency"] or "").translate(_WIDE), "")
    return f"{'百分之' if found['percent'] else ''}{number}{unit}"


def _chinese(number: str) -> str:
    import cn2an

    plain = number.replace(",", "")
    whole, _, decimals = plain.partition(".")
    if len(whole) > _LONGEST or (len(whole) > 1 and whole[0] == "0"):
        words = "".join(_HAN_DIGITS[int(digit)] for digit in whole)
    else:
        words = str(cn2an.an2cn(whole, "low"))
    return words + ("点" + "".join(_HAN_DIGITS[int(d)] for d in decimals) if decimals else "")


def _in_japanese(found: Any) -> str:
    if found["year"]:
        return _japanese(found["year"])
    if found["hour"]:
        minutes = "" if found["minute"] == "00" else f"{_japanese(found['minute'])}分"
        return f"{_japanese(found['hour'])}時{minutes}"
    if found["above"]:
        return f"{_japanese(found['below'])}分の{_japanese(found['above'])}"
    if found["sign"]:
        return _JAPANESE_SIGNS[found["sign"].translate(_WIDE)]
    unit = _JAPANESE_UNITS.get((found["currency"] or "").translate(_WIDE), "")
    return f"{_japanese(found['number'])}{unit}{'パーセント' if found['percent'] else ''}"


def _japanese(number: str) -> str:
    """In kanji, whose readings before a counter UniDic knows; digits alone in kana."""
    from num2words import num2words

    plain = number.replace(",", "")
    whole, _, decimals = plain.partition(".")
    if len(whole) > _LONGEST or (len(whole) > 1 and whole[0] == "0") or whole == "0":
        words = "・".join(_KANA_DIGITS[int(digit)] for digit in whole)
    else:
        words = num2words(int(whole), lang="ja")
    return words + ("点" + "・".join(_KANA_DIGITS[int(d)] for d in decimals) if decimals else "")
