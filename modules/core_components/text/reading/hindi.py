"""How Hindi reads numbers, amounts, times, dates and units.

num2words has no Hindi, and each number below a hundred has a name of its own: they stand here, as
CLDR spells them out.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import regex

from modules.core_components.text.reading.rules import Rules

_BELOW_A_HUNDRED = """
    शून्य एक दो तीन चार पाँच छह सात आठ नौ
    दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस
    बीस इक्कीस बाईस तेईस चौबीस पच्चीस छब्बीस सत्ताईस अट्ठाईस उनतीस
    तीस इकतीस बत्तीस तैंतीस चौंतीस पैंतीस छत्तीस सैंतीस अड़तीस उनतालीस
    चालीस इकतालीस बयालीस तैंतालीस चौवालीस पैंतालीस छियालीस सैंतालीस अड़तालीस उनचास
    पचास इक्यावन बावन तिरेपन चौवन पचपन छप्पन सत्तावन अट्ठावन उनसठ
    साठ इकसठ बासठ तिरेसठ चौंसठ पैंसठ छियासठ सड़सठ अड़सठ उनहत्तर
    सत्तर इकहत्तर बहत्तर तिहत्तर चौहत्तर पचहत्तर छिहत्तर सतहत्तर अठहत्तर उनासी
    अस्सी इक्यासी बयासी तिरासी चौरासी पचासी छियासी सत्तासी अट्ठासी नवासी
    नब्बे इक्यानबे बानबे तिरानबे चौरानबे पंचानबे छियानबे सत्तानबे अट्ठानबे निन्यानबे
""".split()  # noqa: SIM905 - a table by tens
_SIZES = (
    (10**11, "खरब"),
    (10**9, "अरब"),
    (10**7, "करोड़"),
    (10**5, "लाख"),
    (1000, "हज़ार"),
    (100, "सौ"),
)


class Hindi(Rules):
    """Hindi."""

    language = "hi"
    locale = "hi"
    region = "IN"
    decimal_marks_in_words: ClassVar = {".": "दशमलव", ",": ","}
    to = "से"
    minus = "माइनस"
    ratio = "अनुपात"
    and_ = "और"
    per = "प्रति"
    money_joiner = " "
    phone_joiner = " "
    phone_cues = r"(?:फ़ोन|फोन|मोबाइल|नंबर)[^।!?]*$"
    signs: ClassVar = {
        "&": "और", "%": "प्रतिशत", "+": "जोड़", "=": "बराबर", "×": "गुणा", "÷": "भाग",
        "±": "प्लस माइनस",
        "<": "से कम", ">": "से ज़्यादा", "≈": "लगभग", "@": "ऐट", "#": "हैश", "°": "डिग्री",
        "/": "बटा",
        "→": ",", "->": ",", "$": "डॉलर", "€": "यूरो", "£": "पाउंड", "₹": "रुपये", "*": ",",
        "~": ",",
        "²": "का वर्ग", "³": "का घन", "_": " ", "|": ",",
    }  # fmt: skip
    signs_before_numbers: ClassVar = {
        "~": "लगभग", "≈": "लगभग", "±": "प्लस माइनस", "#": "नंबर", "№": "नंबर", "+": "प्लस",
    }  # fmt: skip
    approximately = frozenset(("लगभग", "क़रीब", "करीब"))
    address_marks: ClassVar = {
        "@": "ऐट", ".": "डॉट", "/": "स्लैश", "-": "डैश", "_": "अंडरस्कोर", ":": "कोलन",
        "?": "प्रश्नचिह्न",
        "=": "बराबर", "&": "और", "#": "हैश", "+": "प्लस", "%": "प्रतिशत", "~": "टिल्ड",
        "\\": "बैकस्लैश",
        ",": "कॉमा",
    }  # fmt: skip
    name_signs: ClassVar = {"++": "प्लस प्लस", "#": "शार्प", "+": "प्लस", "*": "स्टार"}
    currencies: ClassVar = {
        "INR": ("रुपया", "रुपये"), "$": ("डॉलर", "डॉलर"), "USD": ("अमेरिकी डॉलर", "अमेरिकी डॉलर"),
        "EUR": ("यूरो", "यूरो"), "GBP": ("पाउंड", "पाउंड"), "JPY": ("येन", "येन"),
    }  # fmt: skip
    small_units: ClassVar = {
        "INR": ("पैसा", "पैसे"),
        **dict.fromkeys(("$", "USD", "EUR"), ("सेंट", "सेंट")),
    }
    magnitudes: ClassVar = {
        name: (name, name)
        for name in ("करोड़", "लाख", "हज़ार", "हजार", "अरब", "खरब", "मिलियन", "बिलियन")
    }
    unit_names: ClassVar = {
        "concentr-percent": ("प्रतिशत", "प्रतिशत"), "digital-gigabyte": ("गीगाबाइट", "गीगाबाइट"),
        "angle-degree": ("डिग्री", "डिग्री"),
    }  # fmt: skip
    more_units: ClassVar = {
        "किमी": "length-kilometer", "कि.मी.": "length-kilometer", "किग्रा": "mass-kilogram",
        "सेमी": "length-centimeter", "मिमी": "length-millimeter", "मिली": "volume-milliliter",
        "मी": "length-meter",
    }  # fmt: skip
    clock_suffix = "बजे"
    abbreviations = (
        (r"डॉ\.", "डॉक्टर"), (r"श्रीमती\.", "श्रीमती"), (r"पं\.", "पंडित"),
        (r"प्रो\.", "प्रोफ़ेसर"),
        (r"रु\.(?= ?\d)", "₹"), (r"नं\.", "नंबर"), (r"पृ\.", "पृष्ठ"),
    )  # fmt: skip

    @property
    def number(self) -> str:  # groups of two digits: 12,34,567
        return r"(?:\d{1,3}(?:,\d{2,3})+(?!\d)|\d+)(?:\.\d+)?"

    def plain(self, digits: str) -> str:
        return digits.replace(",", "")

    def cardinal(self, value: int, gender: str = "m") -> str:
        if value < 100:
            return _BELOW_A_HUNDRED[value]
        for size, name in _SIZES:
            if value >= size:
                above, rest = divmod(value, size)
                words = f"{self.cardinal(above)} {name}"
                return f"{words} {self.cardinal(rest)}" if rest else words
        raise AssertionError(value)

    def say(self, digits: str, gender: str = "m") -> str:
        words = super().say(digits, gender)
        return "सौ" if words == "एक सौ" else words

    def counted(self, value: int, following: str) -> str:
        return "सौ" if value == 100 else self.cardinal(value)

    def year(self, value: int) -> str:
        if 1100 <= value < 2000 and value % 1000:
            rest = value % 100
            hundreds = f"{self.cardinal(value // 100)} सौ"
            return f"{hundreds} {self.cardinal(rest)}" if rest else hundreds
        return self.cardinal(value)

    def ordinal(self, value: int, gender: str = "m") -> str:
        first = {1: "पहला", 2: "दूसरा", 3: "तीसरा", 4: "चौथा", 6: "छठा"}
        return first.get(value) or f"{self.cardinal(value)}वाँ"

    def fraction(self, above: int, below: int) -> str:
        if (above, below) == (1, 2):
            return "आधा"
        if below == 4:
            return f"{self.cardinal(above)} चौथाई"
        return f"{self.cardinal(above)} बटा {self.cardinal(below)}"

    def money(self, amount: str, code: str, magnitude: str = "") -> str:
        if magnitude:
            return f"{self.say(amount)} {magnitude} {self.currency(code, Decimal(2))}"
        return super().money(amount, code)

    def clock(self, hour: int, minute: int, second: int | None, suffix: str) -> str:
        hours = self.cardinal(hour)
        if second is not None:
            return f"{hours} घंटे {self.cardinal(minute)} मिनट {self.cardinal(second)} सेकंड"
        if not minute:
            return f"{hours} बजे"
        if minute == 30 and hour > 2:
            return f"साढ़े {hours} बजे"
        return f"{hours} बजकर {self.cardinal(minute)} मिनट पर"

    def number_patterns(self) -> tuple[tuple[Any, Any], ...]:
        def ordinal(found: Any) -> str:
            words = self.ordinal(int(found["number"]))
            if found["mark"] in ("ली", "री", "थी", "ठी", "वीं"):
                words = f"{words[:-1]}ी" if words.endswith("ा") else words.replace("वाँ", "वीं")
            return words

        return (
            (
                regex.compile(
                    r"(?<![\d.,])(?P<number>\d{1,4})(?P<mark>ला|ली|रा|री|था|थी|ठा|ठी|वां|वाँ|वीं|वें)(?!\p{L})"
                ),
                ordinal,
            ),
        )
