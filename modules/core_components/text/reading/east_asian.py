"""How Mandarin and Japanese read numbers, dates and signs.

Whole numbers are read by cn2an (Mandarin) and num2words (Japanese); neither knows the order in
which a language puts years, times, fractions, signs, currencies and counters around them.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any, ClassVar

import regex

from modules.core_components.text.reading.rules import Rules

_HAN_DIGITS = "零一二三四五六七八九"
_COUNTED = "个個只隻本张張条條位件次天种種台家所间間名块塊瓶杯辆輛座头頭匹口双雙对對"


class _Spaceless(Rules):
    """What the two have in common: words without spaces, "." before decimals, year first."""

    point: ClassVar[str] = "点"
    longest_number = 12
    group_marks = ","
    decimal_mark = "."
    decimal_marks_in_words: ClassVar = {".": "点", ",": "，"}
    bare_years = False
    letter = r"\p{Latin}"
    of_month = ""

    def digits(self, digits: str) -> str:
        return "".join(self.digit(int(digit)) for digit in digits if digit.isdigit())

    def digit(self, value: int) -> str:
        """One digit that stands for itself."""
        raise NotImplementedError

    def say(self, digits: str, gender: str = "m") -> str:
        whole, mark, decimals = self.plain(digits).partition(".")
        words = self.say_part(whole)
        return f"{words}{self.point}{self.digits(decimals)}" if mark else words

    def fraction(self, above: int, below: int) -> str:
        part = "分之" if self.language == "zh" else "分の"
        return f"{self.cardinal(below)}{part}{self.cardinal(above)}"

    def quantity(self, number: str, unit: str) -> str:
        names = self.unit_names.get(unit)
        pattern = f"{{}}{names[0]}" if names else _unit_pattern(unit, self.locale)
        return pattern.replace("{}", self.say(number))

    def per_unit(self, unit: str) -> str:
        return f"{self.per}{self.unit(unit, Decimal(1))}"

    def money(self, amount: str, code: str, magnitude: str = "") -> str:
        return f"{self.say(amount)}{magnitude}{self.currency(code, Decimal(2))}"

    def date(self, day: int, month: int, year: int | None, before: str = "") -> str:
        words = f"{self.cardinal(month)}月{self.cardinal(day)}日"
        return words if year is None else f"{self.year(year)}年{words}"

    def date_patterns(self) -> tuple[tuple[Any, Callable[[Any], str]], ...]:
        def year_first(found: Any) -> str:
            return self.date(int(found["day"]), int(found["month"]), int(found["year"]))

        return (
            (
                regex.compile(
                    r"(?<![\d/-])(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)"
                    r"(?P<day>\d{1,2})(?![\d/-])"
                ),
                year_first,
            ),
        )

    def number_patterns(self) -> tuple[tuple[Any, Callable[[Any], str]], ...]:
        def year(found: Any) -> str:
            return self.year(int(found[0]))

        return (
            (regex.compile(r"(?<!\d)\d{4}(?=年)"), year),
            (
                regex.compile(r"(?<![\d-])0\d{1,4}(?:-\d{2,4}){1,3}(?!\d)"),
                lambda found: self.phone(found[0]),
            ),
        )


class Mandarin(_Spaceless):
    """Mandarin as in mainland China."""

    language = "zh"
    locale = "zh"
    region = "CN"
    to = "到"
    minus = "负"
    ratio = "比"
    and_ = "又"
    per = "每"
    phone_joiner = ""
    signs: ClassVar = {
        "+": "加", "=": "等于", "×": "乘", "÷": "除以", "&": "和", "%": "百分号", "℃": "摄氏度",
        "°": "度", "@": "at", "#": "井号", "<": "小于", ">": "大于", "±": "正负", "≈": "约等于",
        "≤": "小于等于", "≥": "大于等于", "→": "，", "√": "根号", "∞": "无穷大", "$": "美元",
        "€": "欧元", "£": "英镑", "§": "第", "²": "平方", "³": "立方",
    }  # fmt: skip
    signs_before_numbers: ClassVar = {
        "~": "大约", "～": "大约", "≈": "大约", "<": "小于", ">": "大于", "≤": "最多", "≥": "至少",
        "±": "正负", "#": "第", "№": "第",
    }  # fmt: skip
    approximately = frozenset(("大约", "约"))
    address_marks: ClassVar = {
        "@": "at", ".": "点", "/": "斜杠", "-": "杠", "_": "下划线", ":": "冒号", "?": "问号",
        "=": "等于", "&": "和", "#": "井号", "+": "加", "%": "百分号", "~": "波浪号",
        "\\": "反斜杠", ",": "逗号",
    }  # fmt: skip
    name_signs: ClassVar = {"++": "加加", "#": "sharp", "+": "加", "*": "星"}
    currencies: ClassVar = {
        **dict.fromkeys(("¥", "￥", "CNY"), ("元", "元")), "USD": ("美元", "美元"),
        "EUR": ("欧元", "欧元"), "GBP": ("英镑", "英镑"), "JPY": ("日元", "日元"),
    }  # fmt: skip
    magnitudes: ClassVar = {"万": ("万", "万"), "亿": ("亿", "亿"), "千": ("千", "千")}
    unit_names: ClassVar = {
        "concentr-permille": ("‰", "‰"), "angle-degree": ("度", "度"),
        "digital-gigabyte": ("GB", "GB"),
        "digital-megabyte": ("MB", "MB"), "digital-terabyte": ("TB", "TB"),
        "digital-kilobyte": ("KB", "KB"),
    }  # fmt: skip
    clock_suffix = "点|时"

    def digit(self, value: int) -> str:
        return _HAN_DIGITS[value]

    def cardinal(self, value: int, gender: str = "m") -> str:
        return _chinese(value)

    def counted(self, value: int, following: str) -> str:
        return (
            "两" if value == 2 and following[:1] and following[0] in _COUNTED else _chinese(value)
        )

    def year(self, value: int) -> str:
        return self.digits(str(value))

    def quantity(self, number: str, unit: str) -> str:
        if unit in ("concentr-percent", "concentr-permille"):
            return f"{'百' if unit == 'concentr-percent' else '千'}分之{self.say(number)}"
        return super().quantity(number, unit)

    def money(self, amount: str, code: str, magnitude: str = "") -> str:
        whole, _, small = self.plain(amount).partition(".")
        if not magnitude and len(small) == 2 and code in ("¥", "￥", "CNY"):
            tenths = f"{self.cardinal(int(small[0]))}角" if small[0] != "0" else ""
            cents = f"{self.cardinal(int(small[1]))}分" if small[1] != "0" else ""
            return f"{self.say(whole)}元{tenths}{cents}"
        return super().money(amount, code, magnitude)

    def clock(self, hour: int, minute: int, second: int | None, suffix: str) -> str:
        if second is not None:
            hours = "两" if hour == 2 else self.cardinal(hour)
            return f"{hours}小时{self.cardinal(minute)}分{self.cardinal(second)}秒"
        words = f"{self.cardinal(hour)}点"
        zero = "零" if 0 < minute < 10 else ""
        return f"{words}{zero}{self.cardinal(minute)}分" if minute else words

    def number_patterns(self) -> tuple[tuple[Any, Callable[[Any], str]], ...]:
        return (
            *super().number_patterns(),
            (
                regex.compile(r"(?<=(?:电话|手机|致电|拨打)(?:号|号码)?(?:是|为|：|:)? ?)\d{3,}"),
                lambda found: self.digits(found[0]),
            ),
            (
                regex.compile(r"(?<=(?:房间号|门牌号|号码|密码|航班)(?:是|为|：)?)\d{3,}"),
                lambda found: self.digits(found[0]),
            ),
            (
                regex.compile(rf"(?<![\d.,第])2(?=[{_COUNTED}])"),
                lambda _: "两",
            ),
        )


class Japanese(_Spaceless):
    """Japanese; numbers in kanji, whose readings before a counter UniDic knows."""

    language = "ja"
    locale = "ja"
    converter = "ja"
    region = "JP"
    to = "から"
    minus = "マイナス"
    ratio = "対"
    and_ = "と"
    per = "毎"
    phone_joiner = "の"
    signs: ClassVar = {
        "+": "プラス", "=": "イコール", "×": "かける", "÷": "わる", "&": "アンド",
        "%": "パーセント", "℃": "度", "°": "度", "@": "アットマーク", "#": "シャープ",
        "<": "小なり", ">": "大なり",
        "±": "プラスマイナス", "≈": "約", "≤": "以下", "≥": "以上", "→": "、", "√": "ルート",
        "∞": "無限大", "$": "ドル", "€": "ユーロ", "£": "ポンド", "§": "第",
        "²": "二乗", "³": "三乗",
    }  # fmt: skip
    signs_before_numbers: ClassVar = {
        "~": "約", "～": "約", "≈": "約", "<": "小なり", ">": "大なり", "±": "プラスマイナス",
        "#": "ナンバー", "№": "ナンバー",
    }  # fmt: skip
    approximately = frozenset(("約", "およそ"))
    address_marks: ClassVar = {
        "@": "アットマーク", ".": "ドット", "/": "スラッシュ", "-": "ハイフン", "_": "アンダーバー",
        ":": "コロン", "?": "クエスチョン", "=": "イコール", "&": "アンド", "#": "シャープ",
        "+": "プラス", "%": "パーセント", "~": "チルダ", "\\": "バックスラッシュ", ",": "カンマ",
    }  # fmt: skip
    name_signs: ClassVar = {"++": "プラスプラス", "#": "シャープ", "+": "プラス", "*": "スター"}
    currencies: ClassVar = {
        **dict.fromkeys(("¥", "￥", "JPY", "円"), ("円", "円")), "$": ("ドル", "ドル"),
        "EUR": ("ユーロ", "ユーロ"), "GBP": ("ポンド", "ポンド"), "CNY": ("人民元", "人民元"),
    }  # fmt: skip
    magnitudes: ClassVar = {"万": ("万", "万"), "億": ("億", "億"), "千": ("千", "千")}
    unit_names: ClassVar = {
        "concentr-percent": ("パーセント", "パーセント"),
        "concentr-permille": ("パーミル", "パーミル"),
        "angle-degree": ("度", "度"), "length-kilometer": ("キロメートル", "キロメートル"),
    }  # fmt: skip
    clock_suffix = "時"

    def digit(self, value: int) -> str:
        return _HAN_DIGITS[value] if value else "ゼロ"

    def cardinal(self, value: int, gender: str = "m") -> str:
        return self._words(value) if value else "零"

    def phone(self, group: str) -> str:
        return self.phone_joiner.join(map(self.digits, group.split("-")))

    def clock(self, hour: int, minute: int, second: int | None, suffix: str) -> str:
        if second is not None:
            return f"{self.cardinal(hour)}時間{self.cardinal(minute)}分{self.cardinal(second)}秒"
        words = f"{self.cardinal(hour)}時"
        return f"{words}{self.cardinal(minute)}分" if minute else words

    def negative(self, words: str) -> str:
        kind = "摂氏" if words.startswith("摂氏") else ""
        return f"{kind}マイナス{words.removeprefix(kind)}"

    def number_patterns(self) -> tuple[tuple[Any, Callable[[Any], str]], ...]:
        weekday = regex.compile(r"(?<=日 ?)[(（](?P<day>[月火水木金土日])[)）]")
        return (*super().number_patterns(), (weekday, lambda found: f"{found['day']}曜日"))

    def quantity(self, number: str, unit: str) -> str:
        if unit == "temperature-celsius":
            return f"摂氏{self.say(number)}度"
        return super().quantity(number, unit)


@lru_cache(maxsize=4096)
def _chinese(value: int) -> str:
    import cn2an

    return str(cn2an.an2cn(str(value), "low"))


@lru_cache(maxsize=512)
def _unit_pattern(unit: str, locale: str) -> str:
    """CLDR's pattern for a number with the unit, "{}" in the number's place."""
    from babel.units import format_unit

    written = str(format_unit(7, unit, length="long", locale=locale))
    return regex.sub(r"\s+", "", written).replace("7", "{}")
