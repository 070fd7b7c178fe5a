"""How Italian reads numbers, signs and abbreviations."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

import regex

from modules.core_components.text.reading.numbers import spaced
from modules.core_components.text.reading.rules import Rules
from modules.core_components.text.reading.symbols import ENGLISH_ONLY, word_set

# Words after a number that are no noun that it counts.
_NO_NOUNS = word_set(
    "e o di da a in con su per tra fra che è sono era più meno qui qua ora oggi ieri "
    "domani del della "
    "il lo la le i gli non si come quando se"
)


class Italian(Rules):
    """Italian."""

    language = "it"
    locale = "it"
    converter = "it"
    region = "IT"
    phone_cues = r"(?i)\b(?:chiam\w+|fai|componi\w*|tel\w*\.?|telefono|numero|fax)\b[^.!?]*$"
    group_marks = ". \u00a0\u202f'’"
    decimal_mark = ","
    longest_decimals = 2
    decimal_marks_in_words: ClassVar = {".": "punto", ",": "virgola"}
    to = "a"
    minus = "meno"
    ratio = "a"
    and_ = "e"
    per = "per"
    money_joiner = " e "
    of_magnitude = "di"
    day_suffix = r"[º°]?"
    to_days = "al|e"
    signs: ClassVar = {
        "&": "e", "%": "per cento", "‰": "per mille", "+": "più", "=": "uguale", "×": "per",
        "÷": "diviso", "±": "più o meno", "≤": "minore o uguale a", "≥": "maggiore o uguale a",
        "≠": "diverso da", "≈": "circa uguale a", "<": "minore di", ">": "maggiore di",
        "→": ",", "⇒": ",", "←": ",", "->": ",", "=>": ",", "@": "chiocciola", "#": "cancelletto",
        "°": "gradi", "§": "paragrafo", "/": "barra", "²": "al quadrato", "³": "al cubo",
        "√": "radice di", "∞": "infinito", "^": "elevato a", "~": ",", "|": ",",
        "\\": "barra inversa",
        "_": " ", "$": "dollari", "€": "euro", "£": "sterline", "*": ",", "№": "numero", "π": "pi",
    }  # fmt: skip
    signs_before_numbers: ClassVar = {
        "~": "circa", "≈": "circa", "<": "minore di", ">": "maggiore di", "≤": "al massimo",
        "≥": "almeno", "<=": "al massimo", ">=": "almeno", "±": "più o meno", "+/-": "più o meno",
        "#": "numero", "№": "numero", "+": "più", "§": "paragrafo", "=": "uguale a", "@": "a",
    }  # fmt: skip
    approximately = frozenset(("circa", "quasi", "intorno"))
    address_marks: ClassVar = {
        "@": "chiocciola", ".": "punto", "/": "barra", "-": "trattino", "_": "trattino basso",
        ":": "due punti", "?": "punto interrogativo", "=": "uguale", "&": "e", "#": "cancelletto",
        "+": "più", "%": "per cento", "~": "tilde", "\\": "barra inversa", ",": "virgola",
    }  # fmt: skip
    name_signs: ClassVar = {"++": "più più", "#": "diesis", "+": "più", "*": "asterisco"}
    hashtag = "hashtag "
    currencies: ClassVar = {
        "$": ("dollaro", "dollari"), "EUR": ("euro", "euro"), "GBP": ("sterlina", "sterline"),
        "JPY": ("yen", "yen"), "CHF": ("franco svizzero", "franchi svizzeri"),
        "USD": ("dollaro americano", "dollari americani"), "XBT": ("bitcoin", "bitcoin"),
        "BRL": ("real", "real"), "INR": ("rupia", "rupie"),
    }  # fmt: skip
    small_units: ClassVar = {
        **dict.fromkeys(("EUR", "$", "USD", "CAD", "AUD", "CHF"), ("centesimo", "centesimi")),
        "GBP": ("penny", "pence"),
    }
    magnitudes: ClassVar = {
        **dict.fromkeys(("M", "mln", "milione", "milioni", "Mln"), ("milione", "milioni")),
        **dict.fromkeys(("mld", "miliardo", "miliardi", "Mld"), ("miliardo", "miliardi")),
        **dict.fromkeys(("mila", "k", "K"), ("mila", "mila")),
    }  # fmt: skip
    unit_names: ClassVar = {
        "concentr-percent": ("per cento", "per cento"),
        "concentr-permille": ("per mille", "per mille"),
        "digital-mbit-s": ("megabit al secondo", "megabit al secondo"),
        "sound-db": ("decibel", "decibel"), "frequency-rpm": ("giro al minuto", "giri al minuto"),
        "speed-kilometer-per-hour": ("chilometro all'ora", "chilometri all'ora"),
        "energy-kilowatt-hour": ("chilowattora", "chilowattora"),
        "digital-gigabyte": ("gigabyte", "gigabyte"), "mass-quintal": ("quintale", "quintali"),
    }  # fmt: skip
    no_units = ENGLISH_ONLY
    more_units: ClassVar = {
        "Mbps": "digital-mbit-s", "Mb/s": "digital-mbit-s", "dB": "sound-db",
        "rpm": "frequency-rpm", "giri/min": "frequency-rpm", "q": "mass-quintal",
    }  # fmt: skip
    acronyms = word_set(
        "NATO FIAT CGIL UE ONU USA RAI IVA INPS ENEL ENI ISTAT UNESCO NASA FBI CIA TV "
        "CD DVD PC GPS IA "
        "AIDS DNA ASL UNICEF BCE"
    )
    roman_heads = (
        r"[Cc]apitolo|CAPITOLO|[Tt]omo|[Vv]olume|[Pp]arte|[Aa]tto|[Ss]cena|[Ll]ibro|[Tt]itolo"
        r"|[Aa]rticolo|[Ff]ase|[Tt]ipo|[Ll]ivello|[Ss]ecolo|[Cc]ap|[Vv]ol"
        r"|\p{Lu}\p{Ll}+(?: \p{Lu}\p{Ll}+)?"
    )
    roman_heads_after = (
        r"secol[oi]|SECOLO|[Gg]uerra|[Ee]dizione|[Cc]ongresso|[Rr]epubblica|[Oo]limpiade"
    )
    clock_suffix = r"a\.m\.|am|p\.m\.|pm|h|ore"
    clock_marks = ":"
    abbreviations = (
        (r"[Ss]ig\.ra|[Ss]ig\.a", "signora"), (r"[Ss]ig\.na", "signorina"),
        (r"[Ss]igg\.", "signori"),
        (r"[Ss]ig\.", "signor"), (r"Dott\.ssa", "dottoressa"), (r"[Dd]ott\.|Dr\.", "dottor"),
        (r"Prof\.ssa", "professoressa"), (r"[Pp]rof\.", "professor"), (r"[Ii]ng\.", "ingegner"),
        (r"[Aa]vv\.", "avvocato"),
        (r"[Aa]rch\.", "architetto"), (r"[Gg]eom\.", "geometra"), (r"[Oo]n\.", "onorevole"),
        (r"Rag\.", "ragionier"),
        (r"S\.(?= \p{Lu}\p{Ll})", "San"), (r"SS\.(?= \p{Lu}\p{Ll})", "Santissimi"),
        (r"[Ee]cc\.", "eccetera"), (r"[Pp]agg\.|pp\.", "pagine"),
        (r"[Pp]ag\.|p\.(?= ?\d)", "pagina"), (r"[Cc]ap\.(?= ?[\dIVX])", "capitolo"),
        (r"[Vv]ol\.", "volume"), (r"[Aa]rt\.", "articolo"), (r"[Ff]igg\.", "figure"),
        (r"[Ff]ig\.", "figura"), (r"[Tt]ab\.", "tabella"),
        (r"n\.(?= ?\d)|[Nn]°|nr\.", "numero"), (r"nn\.(?= ?\d)", "numeri"),
        (r"[Pp]\. ?es\.", "per esempio"), (r"[Aa]d es\.", "ad esempio"),
        (r"F\.lli", "fratelli"), (r"[Tt]el\.", "telefono"),
        (r"[Vv]\.le", "viale"),
        (r"[Pp]\.zza", "piazza"),
        (r"[Pp]\.za", "piazza"),
        (r"[Cc]\.so(?= \p{Lu})", "corso"), (r"V\.(?= \p{Lu}\p{Ll})", "via"), (r"L\.go", "largo"),
        (r"a\. ?C\.", "avanti Cristo"), (r"d\. ?C\.", "dopo Cristo"),
        (r"S\.p\.A\.|SpA(?!\p{L})", "S P A"), (r"S\.r\.l\.|Srl(?!\p{L})", "S R L"),
        (r"c\.a\.|ca\.(?= ?\d)", "circa"), (r"vs\.?(?!\p{L})", "contro"),
        (r"cfr\.|cf\.", "confronta"), (r"[Rr]ed\.", "redazione"),
        (r"s\.l\.m\.", "sul livello del mare"), (r"min\.(?= \p{Ll})", "minimo"),
        (r"max\.(?= \p{Ll})", "massimo"), (r"[Mm]in\.(?= \d)", "minimo"),
        (r"mln(?!\p{L})", "milioni"), (r"mld(?!\p{L})|mrd(?!\p{L})", "miliardi"),
        (r"[Gg]ent\.mo", "gentilissimo"), (r"[Ee]gr\.", "egregio"),
        (r"gen\.(?= \d)", "gennaio"), (r"feb\.", "febbraio"), (r"apr\.", "aprile"),
        (r"giu\.", "giugno"), (r"lug\.", "luglio"),
        (r"ago\.", "agosto"), (r"sett?\.(?= \d)", "settembre"), (r"ott\.", "ottobre"),
        (r"nov\.", "novembre"), (r"dic\.", "dicembre"),
    )  # fmt: skip

    def cardinal(self, value: int, gender: str = "m") -> str:
        # num2words 0.5.14 loses a letter of 18 in larger numbers.
        words = regex.sub(r"(?<=\p{L})dicotto", "diciotto", self._words(value))
        return "una" if value == 1 and gender == "f" else words

    def counted(self, value: int, following: str) -> str:
        noun = following.lower()
        if value == 1 and noun and noun not in _NO_NOUNS:
            if noun.endswith("a"):
                return "una"
            starts = noun.startswith(
                ("z", "gn", "ps", "x", "sc", "sp", "st", "sb", "sd", "sf", "sg")
            )
            return "uno" if starts else "un"
        return self.cardinal(value)

    def say(self, digits: str, gender: str = "m") -> str:
        if digits == "1" and gender in ("n", "f"):
            return "una" if gender == "f" else "un"
        return super().say(digits, gender)

    def currency_gender(self, code: str) -> str:
        return "f" if self.currency(code, Decimal(1)).split()[0].endswith("a") else "n"

    def unit_gender(self, unit: str) -> str:
        return "f" if self.unit(unit, Decimal(1)).split()[0].endswith("a") else "n"

    def ordinal(self, value: int, gender: str = "m") -> str:
        words = self._words(value, "ordinal")
        return f"{words[:-1]}a" if gender == "f" else words

    def fraction(self, above: int, below: int) -> str:
        if below == 2:
            return "mezzo" if above == 1 else f"{self.cardinal(above)} mezzi"
        part = self.ordinal(below)
        return f"un {part}" if above == 1 else f"{self.cardinal(above)} {part[:-1]}i"

    def roman(self, value: int, head: str, before: str = "") -> str:
        word = head.split()[0] if head else ""
        if regex.match(r"[Gg]uerra|[Ee]dizione|[Rr]epubblica|[Oo]limpiade", head):
            return self.ordinal(value, "f")
        if word.lower() in ("secolo", "secoli", "congresso"):
            return self.ordinal(value)
        if word[:1].islower() or head.isupper() or word in _PARTS:
            return self.cardinal(value)
        return self.ordinal(value, "f" if word in _WOMEN else "m")

    def number_patterns(self) -> tuple[tuple[Any, Callable[[Any], str]], ...]:
        def ordinal(found: Any) -> str:
            feminine = found["mark"] in ("ª", "a")
            return spaced(found, self.ordinal(int(found["number"]), "f" if feminine else "m"))

        def half(found: Any) -> str:
            return f"{'mezza' if found['noun'].endswith('a') else 'mezzo'} {found['noun']}"

        def clock(found: Any) -> str:
            return self.clock(int(found["hour"]), int(found["minute"]), None, "")

        return (
            (regex.compile(r"(?<=(?:[Aa]lle|[Dd]alle|[Oo]re|[Dd]elle) )(?P<hour>[01]?\d"
                r"|2[0-4])\.(?P<minute>[0-5]\d)(?!\d)"), clock),
            (regex.compile(r"(?<![\d.,/])1/2 (?P<noun>\p{Ll}+)"), half),
            (regex.compile(r"(?<![\d.,])(?P<number>\d{1,4})(?P<mark>[ºª]|(?<=(?<!\d)"
                r"(?:[1-9]|[12]\d|3[01]))°(?= \p{Ll}{3,}))(?![\p{L}\d])"), ordinal),
        )  # fmt: skip

    def day(self, day: int, before: str) -> str:
        return "primo" if day == 1 else self.cardinal(day)

    def clock(self, hour: int, minute: int, second: int | None, suffix: str) -> str:
        letters = suffix.lower().replace(".", "")
        half = {"am": " di mattina", "pm": " di sera"}.get(letters, "")
        if second is not None:
            return self.duration(hour, minute, second)
        hours = "una" if hour == 1 else self.cardinal(hour)
        words = f"{hours} e {self.cardinal(minute)}" if minute else hours
        return f"{words}{half}"


_PARTS = word_set(
    "Capitolo Tomo Volume Parte Atto Scena Libro Titolo Articolo Fase Tipo Livello Cap Vol"
)
_WOMEN = word_set("Elisabetta Caterina Maria Margherita Isabella Cristina Anna")
