"""How American and British English read numbers, signs and abbreviations."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import regex

from modules.core_components.text.reading.numbers import spaced
from modules.core_components.text.reading.rules import Abbreviation, Rules
from modules.core_components.text.reading.symbols import word_set

_IRREGULAR_PARTS = {2: "half", 4: "quarter"}
_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?)"
)
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?P<year>1\d{3}|20\d\d)"
_DAYS = {
    day[:3]: day
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
}
_DAY_NAME = r"(?:Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)"


class AmericanEnglish(Rules):
    """English as in the United States."""

    language = "en"
    locale = "en"
    converter = "en"
    region = "US"
    to = "to"
    minus = "minus"
    ratio = "to"
    and_ = "and"
    per = "per"
    money_joiner = " and "
    month_first = True
    more_months: ClassVar = {"sept": 9}
    decimal_marks_in_words: ClassVar = {".": "point", ",": "comma"}
    signs: ClassVar = {
        "&": "and", "%": "percent", "‰": "per mille", "+": "plus", "=": "equals", "×": "times",
        "÷": "divided by", "±": "plus or minus", "≤": "less than or equal to",
        "≥": "greater than or equal to", "≠": "is not equal to", "≈": "is about",
        "<": "less than", ">": "greater than", "→": ",", "->": ",", "=>": ",", "<-": ",", "⇒": ",",
        "←": ",", "↑": "up",
        "↓": "down", "@": "at", "#": "hash", "°": "degrees", "§": "section", "/": "slash",
        "²": "squared", "³": "cubed", "√": "square root of", "∞": "infinity",
        "^": "to the power of",
        "~": ",", "|": ",", "\\": "backslash", "_": " ", "№": "number", "$": "dollars",
        "€": "euros", "£": "pounds", "¥": "yen", "*": ",", "º": "", "ª": "", "∑": "sum of",
        "π": "pi",
    }  # fmt: skip
    signs_before_numbers: ClassVar = {
        "~": "about", "≈": "about", "∼": "about", "<": "less than", ">": "more than",
        "≤": "at most",
        "≥": "at least", "<=": "at most", ">=": "at least", "±": "plus or minus",
        "+/-": "plus or minus",
        "#": "number", "№": "number", "+": "plus", "§": "section", "=": "equals", "@": "at",
        "§§": "sections", "¶": "paragraph",
    }  # fmt: skip
    approximately = frozenset(("about", "around", "approximately", "roughly", "circa"))
    address_marks: ClassVar = {
        "@": "at", ".": "dot", "/": "slash", "-": "dash", "_": "underscore", ":": "colon",
        "?": "question mark", "=": "equals", "&": "and", "#": "hash", "+": "plus", "%": "percent",
        "~": "tilde", "\\": "backslash", ",": "comma",
    }  # fmt: skip
    name_signs: ClassVar = {"++": "plus plus", "#": "sharp", "+": "plus", "*": "star"}
    hashtag = "hashtag "
    currencies: ClassVar = {
        "USD": ("dollar", "dollars"), "EUR": ("euro", "euros"), "GBP": ("pound", "pounds"),
        "JPY": ("yen", "yen"), "CNY": ("yuan", "yuan"), "CHF": ("Swiss franc", "Swiss francs"),
        "INR": ("rupee", "rupees"), "KRW": ("won", "won"), "RUB": ("ruble", "rubles"),
        "TRY": ("lira", "lira"), "ILS": ("shekel", "shekels"), "UAH": ("hryvnia", "hryvnias"),
        "VND": ("dong", "dong"), "PHP": ("peso", "pesos"), "THB": ("baht", "baht"),
        "NGN": ("naira", "naira"), "BRL": ("real", "reais"), "PLN": ("zloty", "zlotys"),
        "XBT": ("bitcoin", "bitcoins"), "CAD": ("Canadian dollar", "Canadian dollars"),
        "MXN": ("Mexican peso", "Mexican pesos"), "SEK": ("krona", "kronor"),
        "US$": ("U S dollar", "U S dollars"),
    }  # fmt: skip
    small_units: ClassVar = {
        **dict.fromkeys(
            ("USD", "EUR", "US$", "CAD", "AUD", "NZD", "HKD", "SGD", "ZAR"), ("cent", "cents")
        ),
        "GBP": ("penny", "pence"), "INR": ("paisa", "paise"), "CHF": ("centime", "centimes"),
        "MXN": ("centavo", "centavos"), "BRL": ("centavo", "centavos"),
    }  # fmt: skip
    magnitudes: ClassVar = {
        **dict.fromkeys(("k", "K"), ("thousand", "thousand")),
        **dict.fromkeys(("m", "M", "mn", "mln", "mil", "MM", "million"), ("million", "million")),
        **dict.fromkeys(("b", "B", "bn", "Bn", "bln", "bil", "billion"), ("billion", "billion")),
        **dict.fromkeys(("t", "T", "tn", "trn", "trillion"), ("trillion", "trillion")),
        "thousand": ("thousand", "thousand"), "hundred": ("hundred", "hundred"),
    }  # fmt: skip
    unit_names: ClassVar = {
        "concentr-percent": ("percent", "percent"), "concentr-permille": ("per mille", "per mille"),
        "angle-arc-minute": ("minute", "minutes"), "angle-arc-second": ("second", "seconds"),
        "mass-tonne": ("ton", "tons"), "graphics-dot-per-inch": ("dot per inch", "dots per inch"),
        "frequency-rpm": ("revolution per minute", "revolutions per minute"),
        "digital-bit-s": ("megabit per second", "megabits per second"),
        "digital-gbit-s": ("gigabit per second", "gigabits per second"),
        "digital-kbit-s": ("kilobit per second", "kilobits per second"),
        "sound-db": ("decibel", "decibels"), "energy-mwh": ("megawatt hour", "megawatt hours"),
        "electric-mah": ("milliamp hour", "milliamp hours"),
        "electric-ampere": ("amp", "amps"), "frames": ("frame per second", "frames per second"),
        "electric-kv": ("kilovolt", "kilovolts"),
        "speed-mile-per-hour": ("mile per hour", "miles per hour"),
    }  # fmt: skip
    more_units: ClassVar = {
        "rpm": "frequency-rpm", "Mbps": "digital-bit-s", "Gbps": "digital-gbit-s",
        "kbps": "digital-kbit-s",
        "Mbit/s": "digital-bit-s", "Gbit/s": "digital-gbit-s", "Mb/s": "digital-bit-s",
        "dB": "sound-db",
        "MWh": "energy-mwh", "mAh": "electric-mah", "fps": "frames", "kV": "electric-kv",
    }  # fmt: skip
    acronyms = word_set(
        "NASA NATO FBI CIA USA UK EU UN BBC CNN UNESCO UNICEF HTML PDF DVD CD TV PC GPS DNA RNA AI "
        "API CPU GPU RAM SQL IBM AIDS HIV OK VIP ESA CEO CTO CFO MIT UCLA ABC NBC CBS ESPN ATM FAQ "
        "DIY HDMI ASAP IRS SUV UFO LED USB RSVP PhD BA MD PM ICU IQ EEG ECG XML CSS"
    )
    roman_heads = (
        r"World War|[Cc]hapter|CHAPTER|[Pp]art|PART|[Aa]ct|ACT|[Ss]cene|SCENE|[Vv]olume|VOLUME"
        r"|[Bb]ook|BOOK|[Ss]ection|SECTION|[Aa]rticle|ARTICLE|[Tt]itle|[Aa]ppendix"
        r"|[Ff]igure|[Tt]able"
        r"|[Pp]hase|[Tt]ype|[Ll]evel|[Ss]tage|[Gg]rade|[Cc]lass|[Ee]pisode|[Ss]eason|[Rr]ound"
        r"|WORLD WAR|Super Bowl|SUPER BOWL|Final Fantasy|Rocky|Apollo|Mark|Star Wars"
        r"|Schedule|Division"
        r"|Vatican|Windsor|Group|Category|Formula|Lesson|Unit|Psalm|Canto|Fig|Vol|Ch"
        r"|Symphony|Sonata"
        r"|Louis|Henry|Edward|George|William|Charles|James|Richard|Elizabeth|Mary"
        r"|Catherine|Anne|John"
        r"|Paul|Pius|Benedict|Gregory|Leo|Innocent|Clement|Urban|Alexander|Nicholas|Peter"
        r"|Ivan|Francis"
        r"|Philip|Ferdinand|Alfonso|Frederick|Wilhelm|Otto|Leopold|Joseph|Maximilian"
        r"|Napoleon|Ramses"
        r"|Ramesses|Rameses|Thutmose|Amenhotep|Seti|Ptolemy|Cleopatra|Darius|Xerxes|Cyrus"
        r"|Artaxerxes"
        r"|Constantine|Theodosius|Justinian|Basil|Selim|Mehmed|Murad|Mahmud|Abdul Hamid|Süleyman"
        r"|Suleiman|Christian|Gustav|Haakon|Harald|Olav|Carl|Karl|Margaret|Margrethe|Isabella|Juan"
        r"|Carlos|Felipe|Pedro|Sancho|Ramiro|Henri|Robert|David|Alexandra|Victor Emmanuel"
        r"|Umberto|Ludwig|Albert|Baudouin|Rudolf|Ferdinand|Sigismund|Casimir|Stephen|Béla"
        r"|Adrian|Julius"
        r"|Celestine|Boniface|Honorius|Callixtus|Sixtus|Eugene|Martin|Pope|King|Queen|Tsar|Emperor"
        r"|Akbar|Rama|Bhumibol|Hassan|Mohammed|Abdullah|Faisal|Haile|Menelik|Tewodros|Yohannes"
    )
    roman_heads_after = r"[Cc]entur(?:y|ies)|[Dd]ynasty|[Oo]lympi"
    hyphen_parts = word_set(
        "well self half ex non semi full part long short high low old new two three four five six "
        "ten mother father first second co"
    )
    clock_suffix = r"a\.m\.|am|a\.m|p\.m\.|pm|p\.m|o['’]clock|hrs?\.?|hours"
    abbreviations: ClassVar[tuple[Abbreviation, ...]] = (
        (r"Mr\.|Mr(?= \p{Lu})", "mister"),
        (r"Mrs\.|Mrs(?= \p{Lu})", "missus"),
        (r"Ms\.(?= \p{Lu})", "miz"),
        (r"Mx\.(?= \p{Lu})", "mix"),
        (r"(?<=\p{Lu}[\p{L}’']+ |\d(?:st|nd|rd|th) )St\.?(?! \p{Lu})(?!\p{L})", "Street"),
        (r"(?<=\d+ \p{Lu}[\p{L}’']+ |\d(?:st|nd|rd|th) |(?:on|at|along|of|to|down|up"
            r"|in) \p{Lu}[\p{L}’']+ )St\.(?= \p{Lu})", "Street."),
        (r"St\.?(?= \p{Lu}\p{Ll})", "Saint"),
        (r"Sts\.(?= \p{Lu})", "Saints"),
        (r"(?<=\p{Lu}[\p{L}’']+ )Dr\.?(?! ?\p{Lu})(?!\p{L})", "Drive"),
        (r"Dr\.?(?= \p{Lu})", "doctor"),
        (r"Drs\.(?= \p{Lu})", "doctors"),
        (r"(?<=\p{Lu}[\p{L}’']+ )Rd\.?(?!\p{L})", "Road"),
        (r"(?<=\p{Lu}[\p{L}’']+ |\d(?:st|nd|rd|th) )Ave\.?(?!\p{L})", "Avenue"),
        (r"(?<=\p{Lu}[\p{L}’']+ )Blvd\.?(?!\p{L})", "Boulevard"),
        (r"(?<=\p{Lu}[\p{L}’']+ )Ln\.(?!\p{L})", "Lane"),
        (r"(?<=\p{Lu}[\p{L}’']+ )Hwy\.?(?!\p{L})", "Highway"),
        (r"(?<=\p{Lu}[\p{L}’']+ )Sq\.(?!\p{L})", "Square"),
        (r"(?<=\p{Lu}[\p{L}’']+ )Pl\.(?!\p{L})", "Place"),
        (r"Apt\.?(?= #?\d)", "apartment"),
        (r"Mt\.?(?= \p{Lu})", "Mount"),
        (r"Ft\.(?= \p{Lu})", "Fort"),
        (r"Prof\.?(?= (?:Col\.? |Gen\.? |Cmdr\.? )?\p{Lu})", "professor"),
        (r"Rev\.?(?= (?:Col\.? |Gen\.? |Cmdr\.? )?\p{Lu})", "reverend"),
        (r"Hon\.(?= \p{Lu})", "honorable"),
        (r"Capt\.?(?= (?:Col\.? |Gen\.? |Cmdr\.? )?\p{Lu})", "captain"),
        (r"Lt\.?(?= (?:Col\.? |Gen\.? |Cmdr\.? )?\p{Lu})", "lieutenant"),
        (r"Col\.?(?= (?:Col\.? |Gen\.? |Cmdr\.? )?\p{Lu})", "colonel"),
        (r"Cmdr\.?(?= (?:Col\.? |Gen\.? |Cmdr\.? )?\p{Lu})", "commander"),
        (r"Cpl\.?(?= (?:Col\.? |Gen\.? |Cmdr\.? )?\p{Lu})", "corporal"),
        (r"Pvt\.(?= \p{Lu})", "private"),
        (r"Maj\.?(?= (?:Col\.? |Gen\.? |Cmdr\.? )?\p{Lu})", "major"),
        (r"Adm\.(?= \p{Lu})", "admiral"),
        (r"Gen\.(?= \p{Lu})", "general"),
        (r"Sgt\.?(?= (?:Col\.? |Gen\.? |Cmdr\.? )?\p{Lu})", "sergeant"),
        (r"Sen\.(?= \p{Lu})", "senator"),
        (r"Rep\.(?= \p{Lu})", "representative"),
        (r"Gov\.(?= \p{Lu})", "governor"),
        (r"Pres\.(?= \p{Lu})", "president"),
        (r"Supt\.(?= \p{Lu})", "superintendent"),
        (r"Fr\.(?= \p{Lu})", "father"),
        (r"Messrs\.?(?= \p{Lu})", "messers"),
        (r"(?<=\p{L}[,]? )Jr\.?(?!\p{L})", "junior"),
        (r"(?<=\p{Lu}\p{Ll}+[,]? )Sr\.?(?!\p{L})", "senior"),
        (r"(?<=\p{L}[,]? )Esq\.", "esquire"),
        (r"[Nn]os\.(?= ?\d)", "numbers"),
        (r"No\.?(?= ?\d)", "number"),
        (r"no\.(?= ?\d)", "number"),
        (r"n[°º](?= ?\d)", "number"),
        (r"[Ff]igs\.(?= ?\d)", "figures"),
        (r"[Ff]ig\.(?= ?[\dA-Z])", "figure"),
        (r"[Tt]ab\.(?= ?\d)", "table"),
        (r"[Ee]qs?\.(?= ?[\d(])", "equation"),
        (r"[Vv]ols\.", "volumes"),
        (r"[Vv]ol\.", "volume"),
        (r"[Cc]hap\.|[Cc]h\.(?= ?[\dIVX])", "chapter"),
        (r"[Ss]ec\.(?= ?\d)", "section"),
        (r"[Aa]rt\.(?= ?\d)", "article"),
        (r"pp\.(?= ?\d)", "pages"),
        (r"[Pp]g?\.(?= ?\d)", "page"),
        (r"[Ll]l\.(?= ?\d)", "lines"),
        (r"[Ee]d\.(?= ?\d)", "edition"),
        (r"[Ee]xt\.(?= ?\d)", "extension"),
        (r"[Tt]el\.", "telephone"),
        (r"[Aa]pprox\.", "approximately"),
        (r"[Ee]st\.(?= ?\d)", "established"),
        (r"[Dd]ept\.", "department"),
        (r"[Gg]ovt\.", "government"),
        (r"[Aa]ssn\.", "association"),
        (r"[Uu]niv\.", "university"),
        (r"[Ii]nst\.", "institute"),
        (r"[Ii]ntl\.", "international"),
        (r"[Bb]ldg\.", "building"),
        (r"[Mm]gr\.", "manager"),
        (r"[Mm]isc\.", "miscellaneous"),
        (r"[Mm]ax\.(?= )", "maximum"),
        (r"[Mm]in\.(?= \p{Ll})", "minimum"),
        (r"[Aa]vg\.", "average"),
        (r"[Tt]emp\.", "temperature"),
        (r"[Qq]ty\.?(?!\p{L})", "quantity"),
        (r"[Tt]ransl?\.(?= by)", "translated"),
        (r"c(?:a|irca)?\.(?= ?\d)", "circa"),
        (r"[Ee]\.? ?g\.,?(?=\W|$)", "for example,"),
        (r"[Ii]\.? ?e\.,?(?=\W|$)", "that is,"),
        (r"[Ee]tc\.", "et cetera"),
        (r"[Ee]t al\.", "et al"),
        (r"[Cc]f\.", "compare"),
        (r"[Vv]iz\.", "namely"),
        (r"vs\.?(?!\p{L})", "versus"),
        (r"v\.(?= \p{Lu})", "versus"),
        (r"w/o(?!\p{L})", "without"),
        (r"w/(?= ?\p{L})", "with "),
        (r"b/c(?!\p{L})", "because"),
        (r"a\.k\.a\.|aka(?!\p{L})", "A K A"),
        (r"Inc\.", "incorporated"),
        (r"Ltd\.?(?!\p{L})", "limited"),
        (r"Co\.(?! \p{Lu}\p{Ll}+ [a-z])", "company"),
        (r"Corp\.", "corporation"),
        (r"Bros\.", "brothers"),
        (r"[Hh]rs\.", "hours"),
        (r"(?<=\d ?)mins?\.(?= )", "minutes"),
        (r"(?<=\d ?)secs?\.(?= )", "seconds"),
        (r"(?<=\d ?)yrs?\.(?= )", "years"),
        (r"(?<=\d ?)lbs?\.(?= )", "pounds"),
        (r"(?<=\d ?)oz\.(?= )", "ounces"),
        (r"(?<=\d ?)ft\.(?= )", "feet"),
        (r"(?<=\d ?)in\.(?= \p{Ll})", "inches"),
        (
            r"(?<=\d )in(?= (?:and|by|x) \d| (?:tall|wide|long|thick|deep|high|across)\b"
                r"| of (?:rain|snow))",
            "inches",
        ),
        (r"(?<=\d ?)mi\.(?= \p{Ll})", "miles"),
        (r"(?:Mon)\.(?=[ ,])", "Monday"),
        (r"Tues?\.(?=[ ,])", "Tuesday"),
        (r"Wed\.(?=[ ,])", "Wednesday"),
        (r"Thu(?:rs?)?\.(?=[ ,])", "Thursday"),
        (r"Fri\.(?=[ ,])", "Friday"),
        (r"Sat\.(?=[ ,])", "Saturday"),
        (r"Sun\.(?=[ ,])", "Sunday"),
        (r"Jan\.", "January"),
        (r"Feb\.", "February"),
        (r"Mar\.(?=[ ,]\d?)", "March"),
        (r"Apr\.", "April"),
        (r"Jun\.(?=[ ,])", "June"),
        (r"Jul\.", "July"),
        (r"Aug\.", "August"),
        (r"Sept?\.", "September"),
        (r"Oct\.", "October"),
        (r"Nov\.", "November"),
        (r"Dec\.", "December"),
        (r"v(?=\d)|ver\.(?= ?\d)", "v "),
        (
            rf"(?P<first>{_DAY_NAME})\.?[-–](?P<last>{_DAY_NAME})\.?(?!\p{{L}})",
            lambda found: f"{_DAYS[found['first'][:3]]} to {_DAYS[found['last'][:3]]}",
        ),
        # "Pan Am": in capitals it would be spelled.
        (r"(?<=\p{Lu}\p{Ll}+ )Am(?!\p{L})", lambda _: "am"),
        (r"C/O|c/o(?!\p{L})", "care of"),
        (r"U\.S\.A\.?(?!\p{L})", "U S A"),
        (r"U\.S\.(?= \p{Ll}|,)", "U S"),
        (r"U\.K\.(?= \p{Ll}|,)", "U K"),
        (r"D\.C\.(?= \p{Ll}|,)", "D C"),
        (r"Ph\.? ?D\.?(?!\p{L})", "P H D"),
        (r"R\.I\.P\.", "R I P"),
    )  # fmt: skip

    @cached_property
    def number(self) -> str:
        # 1,50,000 as in India, too.
        indian = r"\d{1,2}(?:,\d\d)+,\d{3}(?![\d,])"
        # 10 000, as in scientific texts.
        spaced_groups = r"\d{1,3}(?:[\u00a0\u202f]\d{3})+(?!\d)|\d{1,3}(?: \d{3})* 000(?![ ]?\d)"
        return rf"(?:{indian}|{spaced_groups}|{super().number})"

    def plain(self, digits: str) -> str:
        return regex.sub(r"[, \u00a0\u202f]", "", digits)

    def cardinal(self, value: int, gender: str = "m") -> str:
        words = self._words(value).replace(" and ", " ")
        return words if value >= 0 else f"minus {words}"

    def ordinal(self, value: int, gender: str = "m") -> str:
        return self._words(value, "ordinal").replace(" and ", " ")

    def year(self, value: int) -> str:
        return self._words(value, "year").replace(" and ", " ")

    def decade(self, value: int, short: bool) -> str:
        words = self.cardinal(value) if short else self.year(value)
        return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"

    def roman(self, value: int, head: str, before: str = "") -> str:
        if head.rstrip(".") in _RULERS or head.lower().startswith(("centur", "dynast", "olymp")):
            after = head[:1].islower()
            return self.ordinal(value) if after else f"the {self.ordinal(value)}"
        return self.cardinal(value)

    def fraction(self, above: int, below: int) -> str:
        if below == 2:
            return "one half" if above == 1 else f"{self.cardinal(above)} halves"
        part = _IRREGULAR_PARTS.get(below) or self.ordinal(below)
        return f"{self.cardinal(above)} {part}{'' if above == 1 else 's'}"

    def mixed(self, whole: int, above: int, below: int) -> str:
        half = "a half" if (above, below) == (1, 2) else self.fraction(above, below)
        half = "a quarter" if (above, below) == (1, 4) else half
        return f"{self.cardinal(whole)} and {half}"

    def feet_inches(self, feet: str, inches: str) -> str:
        return f"{self.say(feet)} foot {self.say(inches)}"

    def number_patterns(self) -> tuple[tuple[Any, Callable[[Any], str]], ...]:
        def ordinal(found: Any) -> str:
            return spaced(found, self.ordinal(int(self.plain(found["number"]))))

        def ordinals(found: Any) -> str:
            return f"{self.ordinal(int(found['first']))} to {self.ordinal(int(found['last']))}"

        def decade(found: Any) -> str:
            return spaced(found, self.decade(int(found["number"]), short=len(found["number"]) == 2))

        def old_year(found: Any) -> str:
            return self.year(int(found[0]))

        def short_year(found: Any) -> str:
            return self._pair(found["number"])

        def day_of_month(found: Any) -> str:
            first, second = int(found["month"]), int(found["day"])
            month, day = (first, second) if self.month_first else (second, first)
            return self.date(day, month, None) if 1 <= month <= 12 else str(found[0])

        def era(found: Any) -> str:
            letters = " ".join(filter(str.isalpha, found["era"]))
            return f"{self.year(int(found['number']))} {letters}"

        def before_era(found: Any) -> str:
            return (
                f"{' '.join(filter(str.isalpha, found['era']))} {self.year(int(found['number']))}"
            )

        def feet(found: Any) -> str:
            return self.feet_inches(found["feet"], found["inches"])

        def thousands(found: Any) -> str:
            size = self.magnitudes[found["size"]][0]
            return spaced(found, f"{self.say(found['number'])} {size}")

        def name(found: Any) -> str:
            return spaced(found, " ".join(self.cardinal(int(digit)) for digit in found[0]))

        def aircraft(found: Any) -> str:
            number = found["number"]
            return f"{found['name']} {self.cardinal(int(number[0]))} {self._pair(number[1:])}"

        return (
            (
                regex.compile(
                    r"(?<![\d.,])(?P<first>\d{1,4})(?:st|nd|rd|th)\s?[-–]\s?"
                    r"(?P<last>\d{1,4})(?:st|nd|rd|th)(?!\p{L})"
                ),
                ordinals,
            ),
            (
                regex.compile(
                    r"(?<![\d.,])(?P<number>\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th|ST|ND"
                    r"|RD|TH)(?!\p{L})"
                ),
                ordinal,
            ),
            (
                regex.compile(
                    r"(?<![\d.,])(?:(?<!\p{L})['’])?(?P<number>\d{3}0|\d0)['’]?s(?!\p{L})"
                ),
                decade,
            ),
            (
                regex.compile(
                    r"(?<![\d.,])(?P<number>\d{1,4}) ?(?P<era>B\.?C\.?E?\.?|A\.?D\.?"
                    r"|C\.E\.|CE)(?!\p{L})"
                ),
                era,
            ),
            (regex.compile(r"(?<!\p{L})(?P<era>A\.?D\.?) (?P<number>\d{1,4})(?!\d)"), before_era),
            (
                regex.compile(
                    rf"(?<![\d.,\p{{L}}$€£¥₹₩]|[$€£¥₹₩] )(?P<number>{self.number}) ?"
                    rf"(?P<size>bn|mn|mln|trn|tn)(?!\p{{L}})"
                ),
                thousands,
            ),
            (
                regex.compile(r"(?<![\d.,])(?P<feet>\d{1,3}) ?ft\.? ?(?P<inches>\d{1,2}) ?in\b\.?"),
                feet,
            ),
            (
                regex.compile(
                    r"(?P<name>Boeing|Airbus|Flight|Interstate|Route|Highway) "
                    r"(?P<number>[1-9]\d{2})(?!\d)"
                ),
                aircraft,
            ),
            (
                regex.compile(
                    r"(?<=(?:[Ii]n|[Ss]ince|[Bb]y|[Yy]ear|[Uu]ntil|[Bb]efore|[Aa]fter"
                    r"|[Ff]rom) )10\d\d(?![\d,])"
                ),
                old_year,
            ),
            (regex.compile(r"(?<!\p{L}|\p{N})['’](?P<number>\d\d)(?![\d\p{L}'’])"), short_year),
            (
                regex.compile(
                    r"(?<=(?:[Bb]y|[Oo]n|[Uu]ntil|[Bb]efore|[Ss]ince|[Dd]ue) )"
                    r"(?P<month>1[0-2]|[1-9])/(?P<day>[12]\d|3[01]|[1-9])(?![\d/])"
                ),
                day_of_month,
            ),
            (regex.compile(r"(?<=\d)/(?=\d{2,3} ?mmHg)"), lambda found: " over "),
            (regex.compile(r"(?<![\d/])9/11(?![\d/])"), lambda found: "nine eleven"),
            (regex.compile(r"(?<=(?:[Dd]ial|[Cc]all|[Rr]ing|[Pp]hone) )\d{3}(?![\d,.-]?\d)"), name),
            (regex.compile(r"(?<=\d)[x×](?=\d)"), lambda found: " by "),
            (regex.compile(r"(?<=24/)7(?!\d)"), lambda found: "seven"),
            (regex.compile(r"(?<![\d.,])24/(?=seven)"), lambda found: "twenty-four "),
            (
                regex.compile(
                    r"(?<=(?:[Rr]oom|[Cc]ode|PIN|pin|[Ee]xtension|ZIP|[Zz]ip"
                    r"|[Aa]ccount) )\d{3,}(?!\d)"
                ),
                name,
            ),
        )

    def _pair(self, two: str) -> str:
        if two == "00":
            return "hundred"
        return f"oh {self.cardinal(int(two[1]))}" if two[0] == "0" else self.cardinal(int(two))

    def date(self, day: int, month: int, year: int | None, before: str = "") -> str:
        words = f"{self.month_name(month)} {self.ordinal(day)}"
        return words if year is None else f"{words}, {self.year(year)}"

    def date_patterns(self) -> tuple[tuple[Any, Callable[[Any], str]], ...]:
        def month_first(found: Any) -> str:
            month = self.month_name(self.months[found["month"].lower().rstrip(".")])
            first = f"{month} {self.ordinal(int(found['day']))}"
            if found["last"]:
                first += f" to {self.ordinal(int(found['last']))}"
            return f"{first}, {self.year(int(found['year']))}" if found["year"] else first

        def months(found: Any) -> str:
            ends = (self.months[found[end].lower().rstrip(".")] for end in ("first", "last"))
            return " to ".join(map(self.month_name, ends))

        def day_first(found: Any) -> str:
            month = self.month_name(self.months[found["month"].lower().rstrip(".")])
            the = "" if _ARTICLE.search(found.string[: found.start()]) else "the "
            day = f"{the}{self.ordinal(int(found['day']))}"
            if found["last"]:
                day += f" to the {self.ordinal(int(found['last']))}"
            words = f"{day} of {month}"
            return f"{words}, {self.year(int(found['year']))}" if found["year"] else words

        def month_year(found: Any) -> str:
            month = self.month_name(self.months[found["month"].lower().rstrip(".")])
            return f"{month} {self.year(int(found['year']))}"

        ending = r"(?:st|nd|rd|th)?(?!\d|[.,]\d|:\d|\p{L})"
        last = r"(?:\s?[-–—]\s?(?P<last>[12]?\d|3[01]))?"
        year = rf"(?:,? {_YEAR}(?!\d|,\d))?"
        return (
            (
                regex.compile(
                    rf"(?<!\p{{L}})(?P<first>{_MONTH})\s?[-–—]\s?(?P<last>{_MONTH})(?!\p{{L}})"
                ),
                months,
            ),
            (
                regex.compile(rf"(?<!\p{{L}})(?P<month>{_MONTH}) {_DAY}{last}{ending}{year}"),
                month_first,
            ),
            (
                regex.compile(
                    rf"(?<![\p{{L}}\p{{N}}.,:/-]){_DAY}(?:st|nd|rd|th)?{last}(?: of)? "
                    rf"(?P<month>{_MONTH})(?!\p{{L}}){year}"
                ),
                day_first,
            ),
            (regex.compile(rf"(?<!\p{{L}})(?P<month>{_MONTH}),? {_YEAR}(?!\d|,\d)"), month_year),
        )

    def clock(self, hour: int, minute: int, second: int | None, suffix: str) -> str:
        letters = suffix.lower().replace(".", "").replace("’", "'")
        half = f" {letters[0]} m" if letters in ("am", "pm") else ""
        words = self.cardinal(hour)
        if hour == 0:
            words = "zero"
        if second is not None:
            seconds = self.quantity(str(second), "duration-second")
            return f"{words} {self._minutes(minute)} and {seconds}{half}"
        if minute:
            return f"{words} {self._minutes(minute)}{half}"
        if half:
            return f"{words}{half}"
        if letters.startswith("h"):
            return f"{words} hours" if ":" not in suffix else words
        if 1 <= hour <= 12:
            return f"{words} o'clock"
        return "midnight" if hour in (0, 24) else f"{words} hundred"

    def _minutes(self, minute: int) -> str:
        return f"oh {self.cardinal(minute)}" if 0 < minute < 10 else self.cardinal(minute)


class BritishEnglish(AmericanEnglish):
    """English as in the United Kingdom."""

    locale = "en_GB"
    region = "GB"
    month_first = False
    signs: ClassVar = {**AmericanEnglish.signs, "%": "per cent"}
    abbreviations: ClassVar[tuple[Abbreviation, ...]] = (
        *AmericanEnglish.abbreviations,
        (r"(?<=\d ?)st(?!\p{L})", "stone"),
    )
    unit_names: ClassVar = {
        **AmericanEnglish.unit_names,
        "concentr-percent": ("per cent", "per cent"),
        "mass-tonne": ("tonne", "tonnes"),
    }

    def cardinal(self, value: int, gender: str = "m") -> str:
        return self._words(value)

    def ordinal(self, value: int, gender: str = "m") -> str:
        return self._words(value, "ordinal")

    def year(self, value: int) -> str:
        return self._words(value, "year")

    def date(self, day: int, month: int, year: int | None, before: str = "") -> str:
        words = f"the {self.ordinal(day)} of {self.month_name(month)}"
        return words if year is None else f"{words}, {self.year(year)}"


_ARTICLE = regex.compile(r"(?<!\p{L})[Tt]he\s+$")
# After these a Roman numeral is "the fourth"; after other heads "four".
_RULERS = frozenset(
    AmericanEnglish.roman_heads[AmericanEnglish.roman_heads.index("Louis") :].split("|")
)
