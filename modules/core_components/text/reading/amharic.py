"""How Amharic reads numbers, amounts, times, dates and abbreviations.

num2words has the numbers below a thousand (above a million it does not end), CLDR the months, units
and currencies. Clock times are read as they are written: the Ethiopian clock, which counts from
six in the morning, is not reckoned with; nor are dates changed from one calendar to the other.
"""

from __future__ import annotations

from typing import Any, ClassVar

import regex

from modules.core_components.text.reading.rules import Rules

_SIZES = (
    (10**12, "ትሪሊዮን"),
    (10**9, "ቢሊዮን"),
    (10**6, "ሚሊዮን"),
    (10**3, "ሺህ"),
)
_ORDINAL = "ኛ"
# Ethiopic numerals: ፩ to ፱, ፲ to ፺, ፻ (100), ፼ (10,000).
_FIRST_DIGIT, _FIRST_TEN, _HUNDRED, _MYRIAD = "፩", "፲", "፻", "፼"


class Amharic(Rules):
    """Amharic."""

    language = "am"
    locale = "am"
    converter = "am"
    region = "ET"
    decimal_marks_in_words: ClassVar = {".": "ነጥብ", ",": ","}
    to = "እስከ"
    minus = "አሉታዊ"
    ratio = "ለ"
    and_ = "እና"
    per = "በ"
    money_joiner = " ከ"
    phone_joiner = " "
    phone_cues = r"(?:ስልክ|ስልክ ቁጥር|ሞባይል)[^።!?]*$"
    letter = r"\p{Latin}"
    drops_unspoken = True
    bare_years = False  # a year is a number like others
    signs: ClassVar = {
        "&": "እና", "%": "በመቶ", "+": "ሲደመር", "=": "እኩል", "×": "ሲባዛ", "÷": "ሲካፈል", "@": "አት",
        "#": "ቁጥር", "°": "ዲግሪ", "$": "ዶላር", "€": "ዩሮ", "£": "ፓውንድ", "<": "ከዚህ ያነሰ",
        ">": "ከዚህ የበለጠ", "≈": "ገደማ", "→": ",", "->": ",", "*": ",", "~": ",", "_": " ", "|": ",",
    }  # fmt: skip
    signs_before_numbers: ClassVar = {"#": "ቁጥር", "№": "ቁጥር", "~": "ወደ", "≈": "ወደ", "+": "ፕላስ"}
    approximately = frozenset(("ወደ", "ገደማ"))
    address_marks: ClassVar = {
        "@": "አት", ".": "ነጥብ", "/": "ስላሽ", "-": "ሰረዝ", "_": "የታችኛው ሰረዝ", ":": "ኮሎን",
    }  # fmt: skip
    currencies: ClassVar = {
        "ETB": ("ብር", "ብር"), "$": ("ዶላር", "ዶላር"), "USD": ("የአሜሪካ ዶላር", "የአሜሪካ ዶላር"),
        "EUR": ("ዩሮ", "ዩሮ"), "GBP": ("ፓውንድ", "ፓውንድ"),
    }  # fmt: skip
    small_units: ClassVar = {
        "ETB": ("ሳንቲም", "ሳንቲም"),
        **dict.fromkeys(("$", "USD", "EUR"), ("ሳንቲም", "ሳንቲም")),
    }
    magnitudes: ClassVar = {name: (name, name) for name in ("ሺህ", "ሺ", "ሚሊዮን", "ቢሊዮን", "ትሪሊዮን")}
    unit_names: ClassVar = {
        "concentr-percent": ("በመቶ", "በመቶ"), "duration-hour": ("ሰዓት", "ሰዓት"),
        "duration-minute": ("ደቂቃ", "ደቂቃ"), "duration-second": ("ሰከንድ", "ሰከንድ"),
        "digital-gigabyte": ("ጊጋባይት", "ጊጋባይት"), "digital-megabyte": ("ሜጋባይት", "ሜጋባይት"),
    }  # fmt: skip
    more_units: ClassVar = {
        "ኪ.ሜ.": "length-kilometer", "ኪ.ሜ": "length-kilometer", "ኪሜ": "length-kilometer",
        "ሴ.ሜ.": "length-centimeter", "ሴ.ሜ": "length-centimeter", "ሚ.ሜ": "length-millimeter",
        "ኪ.ግ.": "mass-kilogram", "ኪ.ግ": "mass-kilogram", "ኪግ": "mass-kilogram",
        "ሚ.ሊ": "volume-milliliter",
    }  # fmt: skip
    clock_suffix = "ሰዓት"
    clock_marks = ":፡"
    abbreviations = (
        (r"ዓ[./]ም\.?", "ዓመተ ምሕረት"), (r"ዓ[./]ዓ\.?", "ዓመተ ዓለም"),
        (r"እ\.ኤ\.አ\.?", "እንደ ኤሮፓውያን አቆጣጠር"), (r"እ\.አ\.አ\.?", "እንደ አውሮፓውያን አቆጣጠር"),
        (r"ዶ/ር", "ዶክተር"), (r"ፕ/ር", "ፕሮፌሰር"), (r"ወ/ሮ", "ወይዘሮ"), (r"ወ/ሪት", "ወይዘሪት"),
        (r"መ/ቤት", "መሥሪያ ቤት"), (r"ት/ቤት", "ትምህርት ቤት"), (r"ፍ/ቤት", "ፍርድ ቤት"),
        (r"ጽ/ቤት", "ጽሕፈት ቤት"), (r"ም/ቤት", "ምክር ቤት"), (r"ጠ/ሚኒስትር|ጠ/ሚ(?:/ር)?", "ጠቅላይ ሚኒስትር"),
        (r"ሚ/ር", "ሚኒስትር"), (r"ኮ/ል", "ኮሎኔል"), (r"ጄ/ል", "ጄኔራል"), (r"ሻ/ቃ", "ሻለቃ"),
        (r"መ/ር", "መምህር"), (r"ክ/ሀገር", "ክፍለ ሀገር"), (r"ክ/ከተማ", "ክፍለ ከተማ"),
        (r"ቤ/ክ(?:ርስቲያን)?", "ቤተ ክርስቲያን"), (r"ቁ\.(?= ?\d)", "ቁጥር"),
        # Names: ገ/መድኅን.
        (r"ገ/(?=\p{Ethiopic})", "ገብረ"), (r"[ኃሃኀ]/(?=\p{Ethiopic})", "ኃይለ"),
        (r"ወ/(?=\p{Ethiopic})", "ወልደ"),
    )  # fmt: skip

    def cardinal(self, value: int, gender: str = "m") -> str:
        for size, name in _SIZES:
            if value >= size:
                above, rest = divmod(value, size)
                words = f"{self.cardinal(above)} {name}"
                return f"{words} {self.cardinal(rest)}" if rest else words
        words = self._words(value).replace("አስራ", "አሥራ")  # both are written; one of them here
        return f"አንድ {words}" if value == 100 else words

    def ordinal(self, value: int, gender: str = "m") -> str:
        *first, last = self.cardinal(value).split(" ")
        if value % 10 or value % 100 == 10:
            last = self._words(value % 10 or 10, "ordinal")
        else:
            last += _ORDINAL
        return " ".join([*first, last])

    def fraction(self, above: int, below: int) -> str:
        names = {2: "ግማሽ", 3: "ሲሶ", 4: "ሩብ"}
        if above == 1 and below in names:
            return names[below]
        return f"{self.cardinal(above)} {self.ordinal(below)}"

    def date(self, day: int, month: int, year: int | None, before: str = "") -> str:
        words = f"{self.month_name(month)} {self.cardinal(day)} ቀን"
        return words if year is None else f"{words} {self.year(year)}"

    def date_patterns(self) -> tuple[tuple[Any, Any], ...]:
        return ()  # "መስከረም 2 ቀን 2016" has only numbers to be read

    def clock(self, hour: int, minute: int, second: int | None, suffix: str) -> str:
        hours = f"{self.cardinal(hour)} ሰዓት"
        if second is not None:
            minutes = f"{self.cardinal(minute)} ደቂቃ"
            return f"{hours} ከ{minutes} ከ{self.cardinal(second)} ሰከንድ"
        if not minute:
            return hours
        if minute == 30:
            return f"{hours} ተኩል"
        return f"{hours} ከ{self.cardinal(minute)} ደቂቃ"

    def number_patterns(self) -> tuple[tuple[Any, Any], ...]:
        return (
            (
                regex.compile(r"(?<![\d.,])(?P<number>\d{1,9})ኛ(?P<rest>[ውዋዎ]?)"),
                lambda found: self.ordinal(int(found["number"])) + found["rest"],
            ),
            (
                regex.compile(rf"(?P<number>[{_FIRST_DIGIT}-{_MYRIAD}]+)(?P<mark>ኛ?)"),
                self._ethiopic_number,
            ),
        )

    def _ethiopic_number(self, found: Any) -> str:
        value = ethiopic_value(found["number"])
        if len(str(value)) > self.longest_number:
            words = " ".join(self.cardinal(ethiopic_value(one)) for one in found["number"])
            return f"{words}{found['mark']}"
        return self.ordinal(value) if found["mark"] else self.cardinal(value)


def ethiopic_value(numeral: str) -> int:
    """The number that an Ethiopic numeral stands for: ፲፱፻፺፪ is 1992.

    Of more than 12 signs only the first 12 count, so that none can grow beyond measure.
    """
    total = hundreds = units = 0
    for sign in numeral[:12]:
        if sign == _MYRIAD:
            total = (total + hundreds + units or 1) * 10_000
            hundreds = units = 0
        elif sign == _HUNDRED:
            hundreds += (units or 1) * 100
            units = 0
        elif sign >= _FIRST_TEN:
            units += 10 * (ord(sign) - ord(_FIRST_TEN) + 1)
        else:
            units += ord(sign) - ord(_FIRST_DIGIT) + 1
    return total + hundreds + units
