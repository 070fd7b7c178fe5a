"""How German reads numbers, signs and abbreviations."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

import regex

from modules.core_components.text.reading.numbers import spaced
from modules.core_components.text.reading.rules import Rules
from modules.core_components.text.reading.symbols import ENGLISH_ONLY, word_set

# After these an ordinal ends in -n; after the others in -e.
_DATIVE = word_set("am im vom zum zur beim dem den des bis ab seit nach vor")
_NOMINATIVE = word_set("der die das")
_FEMININE = word_set(
    "tasse minute stunde sekunde woche seite million milliarde frau person stadt straße "
    "tonne katze "
    "frage zeile karte flasche scheibe prise idee note zahl"
)


class German(Rules):
    """German."""

    language = "de"
    locale = "de"
    converter = "de"
    region = "DE"
    phone_cues = r"(?i)\b(?:ruf\w*|wähl\w*|tel\w*\.?|telefon\w*|nummer|fax)\b[^.!?]*$"
    group_marks = ". \u00a0\u202f'’"
    decimal_mark = ","
    decimal_marks_in_words: ClassVar = {".": "Punkt", ",": "Komma"}
    to = "bis"
    minus = "minus"
    ratio = "zu"
    and_ = "und"
    per = "pro"
    day_suffix = r"\."
    to_days = r"bis(?: zum)?|und"
    signs: ClassVar = {
        "&": "und", "%": "Prozent", "‰": "Promille", "+": "plus", "=": "gleich", "×": "mal",
        "÷": "geteilt durch", "±": "plus minus", "≤": "kleiner gleich", "≥": "größer gleich",
        "≠": "ungleich", "≈": "ungefähr gleich", "<": "kleiner als", ">": "größer als", "→": ",",
        "⇒": ",", "←": ",", "->": ",", "=>": ",", "@": "at", "#": "Raute", "°": "Grad",
        "§": "Paragraf", "§§": "Paragrafen", "/": "Schrägstrich", "²": "hoch zwei",
        "³": "hoch drei",
        "√": "Wurzel aus", "∞": "unendlich", "^": "hoch", "~": ",", "|": ",", "\\": "Backslash",
        "_": " ", "$": "Dollar", "€": "Euro", "£": "Pfund", "*": ",", "№": "Nummer", "π": "Pi",
    }  # fmt: skip
    signs_before_numbers: ClassVar = {
        "~": "ungefähr", "≈": "ungefähr", "<": "kleiner als", ">": "größer als", "≤": "höchstens",
        "≥": "mindestens", "<=": "höchstens", ">=": "mindestens", "±": "plus minus",
        "+/-": "plus minus", "#": "Nummer", "№": "Nummer", "+": "plus", "§": "Paragraf",
        "§§": "Paragrafen", "=": "gleich", "@": "zu",
    }  # fmt: skip
    approximately = frozenset(("ungefähr", "etwa", "circa", "rund", "fast"))
    address_marks: ClassVar = {
        "@": "at", ".": "Punkt", "/": "Schrägstrich", "-": "Bindestrich", "_": "Unterstrich",
        ":": "Doppelpunkt", "?": "Fragezeichen", "=": "gleich", "&": "und", "#": "Raute",
        "+": "plus", "%": "Prozent", "~": "Tilde", "\\": "Backslash", ",": "Komma",
    }  # fmt: skip
    name_signs: ClassVar = {"++": "plus plus", "#": "sharp", "+": "plus", "*": "Stern"}
    hashtag = "Hashtag "
    currencies: ClassVar = {
        "$": ("Dollar", "Dollar"), "EUR": ("Euro", "Euro"), "£": ("Pfund", "Pfund"),
        "GBP": ("britisches Pfund", "britische Pfund"), "JPY": ("Yen", "Yen"),
        "CHF": ("Schweizer Franken", "Schweizer Franken"), "XBT": ("Bitcoin", "Bitcoin"),
        "USD": ("US-Dollar", "US-Dollar"), "BRL": ("Real", "Real"), "INR": ("Rupie", "Rupien"),
    }  # fmt: skip
    small_units: ClassVar = {
        **dict.fromkeys(("EUR", "$", "USD", "CAD", "AUD"), ("Cent", "Cent")),
        "CHF": ("Rappen", "Rappen"),
        **dict.fromkeys(("£", "GBP"), ("Penny", "Pence")),
    }
    magnitudes: ClassVar = {
        **dict.fromkeys(("Mio.", "Mio", "Million", "Millionen", "M"), ("Million", "Millionen")),
        **dict.fromkeys(("Mrd.", "Mrd", "Milliarde", "Milliarden"), ("Milliarde", "Milliarden")),
        **dict.fromkeys(("Tsd.", "Tsd", "tausend", "T", "k"), ("tausend", "tausend")),
    }  # fmt: skip
    unit_names: ClassVar = {
        "concentr-percent": ("Prozent", "Prozent"), "concentr-permille": ("Promille", "Promille"),
        "digital-mbit-s": ("Megabit pro Sekunde", "Megabit pro Sekunde"),
        "sound-db": ("Dezibel", "Dezibel"),
        "frequency-rpm": ("Umdrehung pro Minute", "Umdrehungen pro Minute"),
        "energy-kilowatt-hour": ("Kilowattstunde", "Kilowattstunden"),
        "digital-gigabyte": ("Gigabyte", "Gigabyte"),
        "energy-mwh": ("Megawattstunde", "Megawattstunden"),
        "length-inch": ("Zoll", "Zoll"),
    }  # fmt: skip
    no_units = ENGLISH_ONLY
    more_units: ClassVar = {
        "Mbps": "digital-mbit-s", "Mbit/s": "digital-mbit-s", "Mb/s": "digital-mbit-s",
        "dB": "sound-db",
        "U/min": "frequency-rpm", "Std.": "duration-hour", "Std": "duration-hour",
        "Min.": "duration-minute",
        "Sek.": "duration-second", "EL": "volume-tablespoon", "TL": "volume-teaspoon",
        "MWh": "energy-mwh",
    }  # fmt: skip
    acronyms = word_set(
        "NATO UNESCO USA ADAC UNO EU BRD DDR ARD ZDF CDU CSU SPD FDP BMW VW AG GmbH "
        "NASA FBI CIA TV CD "
        "DVD PC GPS KI AIDS DNA UFO TÜV UNICEF EZB BIP IT SAP"
    )
    roman_heads = (
        r"Kapitel|KAPITEL|Band|Teil|Akt|Szene|Buch|Titel|Artikel|Phase|Typ|Stufe|Klasse|Kap|Bd"
        r"|Weltkrieg|Abschnitt|Anhang|\p{Lu}\p{Ll}+(?: \p{Lu}\p{Ll}+)?"
    )
    roman_heads_after = (
        r"Weltkrieg|Internationale|Republik|Weltkriegs|Konzil|Zivilsenat|Jahrhundert"
    )
    roman_suffix = r"(?:\.(?= ?[\p{L},;:)]|$))?"
    clock_suffix = r"Uhr|h"
    clock_marks = ":"
    abbreviations = (
        (r"MwSt\.|MwSt(?!\p{L})", "Mehrwertsteuer"), (r"(?<=\p{L} )u\.(?= \p{Lu})", "und"),
        (r"z\. ?B\.", "zum Beispiel"), (r"d\. ?h\.", "das heißt"), (r"u\. ?a\.", "unter anderem"),
        (r"u\. ?ä\.", "und ähnliche"), (r"o\. ?ä\.", "oder ähnliche"),
        (r"u\. ?s\. ?w\.|usw\.", "und so weiter"), (r"u\. ?U\.", "unter Umständen"),
        (r"i\. ?d\. ?R\.", "in der Regel"), (r"z\. ?T\.", "zum Teil"),
        (r"z\. ?Z\.|z\. ?Zt\.|zzt\.", "zurzeit"), (r"s\. ?o\.", "siehe oben"),
        (r"s\. ?u\.", "siehe unten"), (r"v\. ?a\.", "vor allem"), (r"i\. ?A\.", "im Auftrag"),
        (r"u\. ?v\. ?m\.", "und vieles mehr"), (r"m\. ?E\.", "meines Erachtens"),
        (r"z\. ?H\.|z\. ?Hd\.", "zu Händen"),
        (r"v\. ?Chr\.", "vor Christus"), (r"n\. ?Chr\.", "nach Christus"),
        (r"bzw\.", "beziehungsweise"), (r"bzgl\.", "bezüglich"), (r"[Cc]a\.", "circa"),
        (r"vgl\.", "vergleiche"),
        (r"[Gg]gf\.", "gegebenenfalls"), (r"evtl\.", "eventuell"), (r"inkl\.", "inklusive"),
        (r"exkl\.", "exklusive"), (r"sog\.", "sogenannte"), (r"etc\.", "et cetera"),
        (r"max\.(?= )", "maximal"), (r"min\.(?= \d|\p{Ll})", "minimal"), (r"mind\.", "mindestens"),
        (r"lt\.(?= )", "laut"), (r"zzgl\.", "zuzüglich"), (r"abzgl\.", "abzüglich"),
        (r"einschl\.", "einschließlich"),
        (r"Hrn\.(?= \p{Lu})", "Herrn"), (r"Hr\.(?= \p{Lu})", "Herr"), (r"Fr\.(?= \p{Lu})", "Frau"),
        (r"Frl\.(?= \p{Lu})", "Fräulein"), (r"Dres\.", "Doktoren"), (r"Dr\.", "Doktor"),
        (r"Prof\.", "Professor"), (r"Ing\.", "Ingenieur"), (r"Dipl\.", "Diplom"),
        (r"St\.(?= \p{Lu})", "Sankt"),
        (r"Nr\.", "Nummer"), (r"(?<=pro )Pers\.", "Person"), (r"Pers\.", "Personen"),
        (r"Einw\.", "Einwohner"),
        (r"Nrn\.", "Nummern"),
        (r"S\.(?= ?\d)", "Seite"),
        (r"Abb\.", "Abbildung"), (r"Kap\.", "Kapitel"), (r"Bd\.", "Band"), (r"Abs\.", "Absatz"),
        (r"Art\.(?= ?\d)", "Artikel"), (r"Tab\.", "Tabelle"), (r"Tel\.", "Telefon"),
        (r"Aufl\.", "Auflage"), (r"Hrsg\.", "Herausgeber"), (r"Abt\.", "Abteilung"),
        (r"Mio\.", "Millionen"), (r"Mrd\.", "Milliarden"), (r"Tsd\.", "tausend"),
        (r"Std\.", "Stunden"), (r"Stk\.", "Stück"), (r"Str\.(?= \d|$)", "Straße"),
        (r"(?P<street>\p{Lu}\p{Ll}+)str\.", lambda found: f"{found['street']}straße"),
        (r"(?P<place>\p{Lu}\p{Ll}+)pl\.(?= \d)", lambda found: f"{found['place']}platz"),
        (r"Jh\.|Jhd\.", "Jahrhundert"), (r"geb\.(?= )", "geboren"), (r"gest\.(?= )", "gestorben"),
        (r"verh\.", "verheiratet"), (r"Mo\.[-–]Fr\.|Mo[-–]Fr(?!\p{L})", "Montag bis Freitag"),
        (r"Jan\.", "Januar"), (r"Feb\.", "Februar"), (r"Apr\.", "April"), (r"Aug\.", "August"),
        (r"Sept?\.", "September"), (r"Okt\.", "Oktober"), (r"Nov\.", "November"),
        (r"Dez\.", "Dezember"),
    )  # fmt: skip
    more_months: ClassVar = {
        "jan": 1,
        "jän": 1,
        "feb": 2,
        "mär": 3,
        "mrz": 3,
        "apr": 4,
        "sep": 9,
        "sept": 9,
    }

    def cardinal(self, value: int, gender: str = "m") -> str:
        words = self._words(value)
        if gender == "m":
            return words
        ending = "eine" if gender == "f" else "ein"
        return regex.sub(r"eins$", ending, words)

    def counted(self, value: int, following: str) -> str:
        if value % 100 != 1 or not following[:1].isupper():
            return self.cardinal(value)
        noun = following.lower()
        feminine = noun in _FEMININE or noun.endswith(
            ("ung", "heit", "keit", "schaft", "ion", "tät")
        )
        return self.cardinal(value, "f" if feminine else "n")

    def currency_gender(self, code: str) -> str:
        return "n"

    def unit_gender(self, unit: str) -> str:
        name = self.unit(unit, Decimal(1)).split()[0].lower()
        return (
            "f"
            if name.endswith(("tonne", "unze", "stunde", "minute", "sekunde", "meile", "umdrehung"))
            else "n"
        )

    def year(self, value: int) -> str:
        return self._words(value, "year") if value < 2000 else self.cardinal(value)

    def ordinal(self, value: int, gender: str = "m") -> str:
        return self._words(value, "ordinal")

    def fraction(self, above: int, below: int) -> str:
        if below == 2:
            return "ein halb" if above == 1 else f"{self.cardinal(above)} halbe"
        names = {3: "Drittel", 4: "Viertel", 7: "Siebtel", 8: "Achtel"}
        part = names.get(below) or f"{self.ordinal(below).removesuffix('te').capitalize()}tel"
        return f"{self.cardinal(above, 'n')} {part}"

    def mixed(self, whole: int, above: int, below: int) -> str:
        if (above, below) == (1, 2):
            return "eineinhalb" if whole == 1 else f"{self.cardinal(whole)}einhalb"
        return f"{self.cardinal(whole)} {self.fraction(above, below)}"

    def money(self, amount: str, code: str, magnitude: str = "") -> str:
        if magnitude:
            one, several = self.magnitudes[magnitude]
            single = self.is_one(Decimal(self.plain(amount)))
            number = "eine" if single and one != "tausend" else self.say(amount)
            return f"{number} {one if single else several} {self.currency(code, Decimal(2))}"
        whole, _, small = self.plain(amount).partition(".")
        if len(small) == 2 and small != "00":
            name = self.currency(code, Decimal(whole))
            return f"{self.say(whole, 'n')} {name} {self.cardinal(int(small))}"
        return super().money(amount, code)

    def roman(self, value: int, head: str, before: str = "") -> str:
        if head in _AFTER_HEADS:
            if before.lower() in _DATIVE:
                return f"{self.ordinal(value)}n"
            return self.ordinal(value) + "r" * (head == "Weltkrieg" and before.lower() != "der")
        if head.split()[0] in _PARTS:
            return self.cardinal(value)
        return f"der {self.ordinal(value).capitalize()}"

    def number_patterns(self) -> tuple[tuple[Any, Callable[[Any], str]], ...]:
        def ordinal(found: Any) -> str:
            before = found["before"].lower()
            words = self.ordinal(int(found["number"]))
            return words + ("" if before in _NOMINATIVE else "n")

        def alone(found: Any) -> str:
            return f"{self.ordinal(int(found['number']))}r"

        def day_and_month(found: Any) -> str:
            day, month = int(found["day"]), int(found["month"])
            if not (1 <= day <= 31 and 1 <= month <= 12):
                return str(found[0])
            return self.date(day, month, None, (found["word"] or "").lower())

        def decade(found: Any) -> str:
            number = int(found["number"])
            words = self.year(number) if number > 999 else self.cardinal(number)
            return spaced(found, f"{words}er")

        def half(found: Any) -> str:
            noun = found["noun"]
            return f"{'eine halbe' if noun.lower() in _FEMININE else 'ein halbes'} {noun}"

        months = "|".join(sorted(map(regex.escape, self.months), key=len, reverse=True))
        return (
            (regex.compile(r"(?<![\d.,/]|\d )(?:1/2|½) (?P<noun>\p{Lu}\p{Ll}+)"), half),
            (
                regex.compile(r"(?<=(?:(?P<word>\p{L}+),? )?)(?<![\d.,])"
                    r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?![\d.])"),
                day_and_month,
            ),
            (regex.compile(r"(?<![\d.,])(?P<number>\d{1,4})er(?!\p{L})"), decade),
            (
                regex.compile(
                    r"(?<=(?<!\p{L})(?P<before>(?:[Ii]n|[Aa]n|[Aa]uf|[Vv]on|[Mm]it|[Zz]u"
                        r"|[Bb]ei|[Aa]us|[Nn]ach|[Ss]eit) der|[Aa]m|[Ii]m|[Vv]om|[Zz]um"
                        r"|[Zz]ur|[Bb]eim"
                        r"|[Dd]em|[Dd]en|[Dd]es|[Dd]er|[Dd]ie|[Dd]as|[Bb]is zum|[Ii]hrem"
                        r"|[Ii]hren|[Ss]einem|[Ss]einen|[Uu]nserem) )"
                    r"(?P<number>\d{1,3})\.(?= (?!(?i:" + months + r")\b)\p{L}| bis |$)"
                ),
                ordinal,
            ),
            (regex.compile(r"(?<![\d.,]|^)(?<!^\s*)(?P<number>\d{1,2})\.(?= "
                r"(?:Jahrhundert|Geburtstag|Platz|Stock|Klasse|Kapitel|Auflage|Mal"
                r"|Weltkrieg|Liga))"), alone),
        )  # fmt: skip

    def day(self, day: int, before: str) -> str:
        words = self.ordinal(day)
        if before in _NOMINATIVE:
            return words
        return f"{words}n" if before in _DATIVE else f"{words}r"

    def clock(self, hour: int, minute: int, second: int | None, suffix: str) -> str:
        if second is not None:
            return self.duration(hour, minute, second)
        hours = f"{self.cardinal(hour, 'n')} Uhr"
        return f"{hours} {self.cardinal(minute)}" if minute else hours


_PARTS = word_set(
    "Kapitel KAPITEL Band Teil Akt Szene Buch Titel Artikel Phase Typ Stufe Klasse Kap "
    "Bd Abschnitt "
    "Anhang"
)
_AFTER_HEADS = word_set(
    "Weltkrieg Internationale Republik Weltkriegs Konzil Zivilsenat Jahrhundert"
)
