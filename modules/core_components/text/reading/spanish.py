"""How Spanish reads numbers, signs and abbreviations."""

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
    "y e o u de del a al en por para con sin que es fue son era más menos hoy ayer "
    "mañana aquí allí "
    "ya no sí ni lo la las los el como cuando si desde hasta"
)
_FEMININE_NAMES = word_set("Isabel María Catalina Cristina Ana Juana Margarita Beatriz")
_MASCULINE_IN_A = word_set(
    "día días problema problemas mapa mapas idioma idiomas clima climas tema temas "
    "sistema sistemas "
    "programa programas planeta planetas kilograma gramas pijama"
)

_FEMININE = word_set(
    "noche noches vez veces mujer mujeres flor flores calle calles ley leyes voz voces parte "
    "partes clase clases llave llaves tarde tardes nube nubes foto fotos moto motos mano manos"
)
_FEMININE_ENDINGS = ("as", "a", "dades", "ciones", "siones", "dad", "ción", "sión")

_NEXT_NOUN = regex.compile(r" (\p{Ll}+)")


class Spanish(Rules):
    """Spanish, with the forms of Spain where it has several."""

    language = "es"
    locale = "es"
    converter = "es"
    region = "ES"
    phone_cues = r"(?i)\b(?:llam\w+|marc\w+|tel\w*\.?|teléfono|número|móvil|fax)\b[^.!?]*$"
    group_marks = ". \u00a0\u202f"
    decimal_mark = ","
    longest_decimals = 2
    decimal_marks_in_words: ClassVar = {".": "punto", ",": "coma"}
    to = "a"
    minus = "menos"
    ratio = "a"
    and_ = "y"
    per = "por"
    money_joiner = " con "
    of_magnitude = "de"
    of_month = "de"
    day_suffix = r"(?:\.?[º°o])?"
    to_days = "al|a|y"
    more_months: ClassVar = {"setiembre": 9, "set": 9, "sep": 9, "sept": 9}
    signs: ClassVar = {
        "&": "y", "%": "por ciento", "‰": "por mil", "+": "más", "=": "igual a", "×": "por",
        "÷": "dividido por", "±": "más menos", "≤": "menor o igual que", "≥": "mayor o igual que",
        "≠": "distinto de", "≈": "aproximadamente igual a", "<": "menor que", ">": "mayor que",
        "→": ",", "⇒": ",", "←": ",", "->": ",", "=>": ",", "@": "arroba", "#": "almohadilla",
        "°": "grados", "§": "sección", "/": "barra", "²": "al cuadrado", "³": "al cubo",
        "√": "raíz de", "∞": "infinito", "^": "elevado a", "~": ",", "|": ",",
        "\\": "barra invertida",
        "_": " ", "$": "dólares", "€": "euros", "£": "libras", "*": ",", "№": "número", "π": "pi",
    }  # fmt: skip
    signs_before_numbers: ClassVar = {
        "~": "aproximadamente", "≈": "aproximadamente", "<": "menor que", ">": "mayor que",
        "≤": "como máximo", "≥": "como mínimo", "<=": "como máximo", ">=": "como mínimo",
        "±": "más menos", "+/-": "más menos", "#": "número", "№": "número", "+": "más",
        "§": "sección", "=": "igual a", "@": "a",
    }  # fmt: skip
    approximately = frozenset(("aproximadamente", "unos", "unas", "casi", "alrededor", "sobre"))
    address_marks: ClassVar = {
        "@": "arroba", ".": "punto", "/": "barra", "-": "guion", "_": "guion bajo",
        ":": "dos puntos", "?": "interrogación", "=": "igual", "&": "y", "#": "almohadilla",
        "+": "más", "%": "por ciento", "~": "virgulilla", "\\": "barra invertida", ",": "coma",
    }  # fmt: skip
    name_signs: ClassVar = {"++": "más más", "#": "sostenido", "+": "más", "*": "asterisco"}
    hashtag = "hashtag "
    currencies: ClassVar = {
        "$": ("dólar", "dólares"), "EUR": ("euro", "euros"), "£": ("libra", "libras"),
        "JPY": ("yen", "yenes"), "GBP": ("libra esterlina", "libras esterlinas"),
        "CHF": ("franco suizo", "francos suizos"), "MXN": ("peso mexicano", "pesos mexicanos"),
        "XBT": ("bitcóin", "bitcoines"), "BRL": ("real", "reales"), "INR": ("rupia", "rupias"),
    }  # fmt: skip
    small_units: ClassVar = {
        "EUR": ("céntimo", "céntimos"),
        **dict.fromkeys(("$", "USD", "CAD", "AUD"), ("centavo", "centavos")),
        **dict.fromkeys(("MXN", "ARS", "COP", "BRL"), ("centavo", "centavos")),
        **dict.fromkeys(("£", "GBP"), ("penique", "peniques")), "CHF": ("céntimo", "céntimos"),
    }  # fmt: skip
    magnitudes: ClassVar = {
        **dict.fromkeys(("M", "mill.", "millón", "millones", "MM"), ("millón", "millones")),
        **dict.fromkeys(("mil", "k", "K"), ("mil", "mil")),
        **dict.fromkeys(("billón", "billones"), ("billón", "billones")),
        **dict.fromkeys(("mil millones", "mM"), ("mil millones", "mil millones")),
    }  # fmt: skip
    unit_names: ClassVar = {
        "concentr-percent": ("por ciento", "por ciento"),
        "concentr-permille": ("por mil", "por mil"),
        "digital-mbit-s": ("megabit por segundo", "megabits por segundo"),
        "sound-db": ("decibelio", "decibelios"),
        "frequency-rpm": ("revolución por minuto", "revoluciones por minuto"),
        "energy-kilowatt-hour": ("kilovatio hora", "kilovatios hora"),
        "mass-tonne": ("tonelada", "toneladas"), "digital-gigabyte": ("gigabyte", "gigabytes"),
    }  # fmt: skip
    no_units = ENGLISH_ONLY | {"t"}
    more_units: ClassVar = {
        "Mbps": "digital-mbit-s", "Mb/s": "digital-mbit-s", "dB": "sound-db",
        "rpm": "frequency-rpm",
        "seg": "duration-second", "tn": "mass-tonne",
    }  # fmt: skip
    acronyms = word_set(
        "ONU OTAN UE DNI EEUU UNESCO USA IVA OMS FMI BBVA PIB SIDA ADN OVNI PSOE PP "
        "IBEX RAE NASA FBI "
        "CIA TV CD DVD PC GPS AVE IA UNAM UNICEF"
    )
    roman_heads = (
        r"[Ss]iglos?|SIGLO|[Cc]apítulo|CAPÍTULO|[Tt]omo|[Vv]olumen|[Pp]arte|[Aa]cto"
        r"|[Ee]scena|[Ll]ibro"
        r"|[Tt]ítulo|[Aa]rtículo|[Ff]ase|[Tt]ipo|[Nn]ivel|[Cc]ap|[Vv]ol|Guerra Mundial"
        r"|\p{Lu}\p{Ll}+(?: \p{Lu}\p{Ll}+)?"
    )
    roman_heads_after = (
        r"Guerra|[Cc]ongreso|[Jj]ornadas?|[Ee]dición|[Cc]umbre|[Ff]estival|[Rr]epública"
        r"|[Ii]nternacional"
        r"|[Cc]oncilio|[Ff]eria|[Cc]ertamen|[Pp]remio|[Mm]archa|[Ss]emana|[Ee]ncuentro"
        r"|[Cc]onferencia"
    )
    clock_suffix = r"a\. ?m\.|am|p\. ?m\.|pm|h\.?|hs\.?|hrs\.?|horas"
    clock_marks = ":hH"
    abbreviations = (
        (r"Sres\.|Srs\.", "señores"), (r"Sras\.", "señoras"), (r"Srta\.", "señorita"),
        (r"[Ss]ra\.", "señora"), (r"[Ss]r\.", "señor"), (r"Dres\.", "doctores"),
        (r"Dra\.", "doctora"),
        (r"Dr\.", "doctor"), (r"D\.ª|Dña\.|Dª", "doña"), (r"D\.(?= \p{Lu}\p{Ll})", "don"),
        (r"Prof\.ª|Profa\.|Prof\.a", "profesora"), (r"Prof\.", "profesor"),
        (r"Lic\.", "licenciado"), (r"Univ\.", "universidad"),
        (r"Ing\.", "ingeniero"), (r"Arq\.", "arquitecto"), (r"Gral\.", "general"),
        (r"Cap\.(?= \p{Lu})", "capitán"),
        (r"Sto\.", "santo"), (r"Sta\.", "santa"), (r"S\.(?= \p{Lu}\p{Ll})", "san"),
        (r"[Uu]ds\.|[Vv]ds\.", "ustedes"), (r"[Uu]d\.|[Vv]d\.", "usted"),
        (r"EE\. ?UU\.?|EEUU(?!\p{L})", "Estados Unidos"), (r"JJ\. ?OO\.", "Juegos Olímpicos"),
        (r"CC\. ?AA\.", "comunidades autónomas"), (r"RR\. ?HH\.", "recursos humanos"),
        (r"[Pp]ágs\.|pp\.", "páginas"), (r"[Pp]ág\.|p\.(?= ?\d)", "página"),
        (r"[Cc]ap\.(?= ?[\dIVX])", "capítulo"),
        (r"[Vv]ol\.", "volumen"), (r"[Aa]rt\.", "artículo"), (r"[Ff]igs\.", "figuras"),
        (r"[Ff]ig\.", "figura"),
        (r"n\.[ºo°]|[Nn]úm\.|n[º°]|N\.?[º°]|nro\.", "número"), (r"p\. ?ej\.", "por ejemplo"),
        (r"[Ee]tc\.", "etcétera"), (r"aprox\.", "aproximadamente"),
        (r"[Tt]el\.|[Tt]fno\.|[Tt]lf\.", "teléfono"),
        (r"[Aa]vda?\.|Av\.", "avenida"), (r"C/(?= ?\p{Lu})|c/(?= ?\p{Lu})", "calle "),
        (r"[Pp]za\.|[Pp]l\.(?= \p{Lu})", "plaza"),
        (r"[Dd]pto\.|[Dd]to\.", "departamento"), (r"[Aa]dmón\.", "administración"),
        (r"[Gg]ob\.", "gobierno"),
        (r"[Cc]ía\.", "compañía"), (r"S\. ?A\.(?!\p{L})", "S A"), (r"S\. ?L\.(?!\p{L})", "S L"),
        (r"izq\.", "izquierda"), (r"dcha\.", "derecha"), (r"máx\.", "máximo"), (r"mín\.", "mínimo"),
        (r"a\. ?(?:de )?C\.|a\. ?de J\. ?C\.", "antes de Cristo"),
        (r"d\. ?(?:de )?C\.", "después de Cristo"),
        (r"vs\.?(?!\p{L})", "contra"), (r"P\. ?D\.", "posdata"), (r"ed\.(?= ?\d)", "edición"),
        (r"cf\.|cfr\.", "compárese"),
        (r"ene\.", "enero"), (r"feb\.", "febrero"), (r"abr\.", "abril"), (r"jun\.", "junio"),
        (r"jul\.", "julio"),
        (r"ago\.", "agosto"), (r"sept?\.", "septiembre"), (r"oct\.", "octubre"),
        (r"nov\.", "noviembre"), (r"dic\.", "diciembre"),
    )  # fmt: skip

    def cardinal(self, value: int, gender: str = "m") -> str:
        words = regex.sub(r"veintiuno (?=mil)", "veintiún ", self._words(value))
        words = regex.sub(r"\buno (?=mil)", "un ", words)
        return _feminine(words) if gender == "f" else words

    def counted(self, value: int, following: str) -> str:
        noun = following.lower()
        if not noun or noun in _NO_NOUNS:
            return self.cardinal(value)
        feminine = noun in _FEMININE or noun.endswith(_FEMININE_ENDINGS)
        if feminine and noun not in _MASCULINE_IN_A:
            return self.cardinal(value, "f")
        return _short(self.cardinal(value))

    def say(self, digits: str, gender: str = "m") -> str:
        words = super().say(digits, gender)
        return _short(words) if gender == "n" else words

    def currency_gender(self, code: str) -> str:
        return "f" if self.currency(code, Decimal(2)).split()[0].endswith("as") else "n"

    def unit_gender(self, unit: str) -> str:
        return "f" if self.unit(unit, Decimal(2)).split()[0].endswith(("as", "ones")) else "n"

    def ordinal(self, value: int, gender: str = "m") -> str:
        words = self._words(value, "ordinal")
        return " ".join(f"{word[:-1]}a" for word in words.split()) if gender == "f" else words

    def fraction(self, above: int, below: int) -> str:
        names = {2: ("medio", "medios"), 3: ("tercio", "tercios"), 4: ("cuarto", "cuartos")}
        if below in names:
            one, several = names[below]
            if below == 2 and above == 1:
                return "medio"
            return f"un {one}" if above == 1 else f"{self.cardinal(above)} {several}"
        part = self.ordinal(below) if below <= 10 else f"{self.cardinal(below)}avo"
        return f"un {part}" if above == 1 else f"{self.cardinal(above)} {part}s"

    def roman(self, value: int, head: str, before: str = "") -> str:
        word = head.split()[0] if head else ""
        if (
            word.lower()
            in ("siglo", "siglos", "capítulo", "tomo", "volumen", "parte", "cap", "vol")
            or value > 10
        ):
            return self.cardinal(value)
        if regex.match(
            r"Guerra|[Rr]epública|[Ee]dición|[Cc]umbre|[Ff]eria|[Jj]ornada|[Ii]nter"
            r"|[Mm]archa|[Ss]emana|[Cc]onf",
            head,
        ):
            return self.ordinal(value, "f")
        if regex.match(r"[Cc]on|[Ff]estival|[Cc]ertamen|[Pp]remio|[Ee]ncuentro", head):
            return self.ordinal(value)
        if (
            head[:1].islower()
            or head.isupper()
            or head in ("Acto", "Escena", "Libro", "Título", "Fase", "Tipo")
        ):
            return self.cardinal(value)
        return self.ordinal(value, "f" if word in _FEMININE_NAMES else "m")

    def number_patterns(self) -> tuple[tuple[Any, Callable[[Any], str]], ...]:
        def ordinal(found: Any) -> str:
            feminine = found["mark"] in ("ª", "a", "as")
            words = self.ordinal(int(found["number"]), "f" if feminine else "m")
            noun = _NEXT_NOUN.match(found.string, found.end())
            counts = noun is not None and noun[1].lower() not in _NO_NOUNS
            if words in ("primero", "tercero") and (found["mark"] == "er" or counts):
                words = words[:-1]  # "primer piso"
            return spaced(found, words)

        def decade(found: Any) -> str:
            return f"años {self.cardinal(int(found['number']))}"

        def half(found: Any) -> str:
            return f"{'media' if found['noun'].endswith('a') else 'medio'} {found['noun']}"

        return (
            (regex.compile(r"(?<![\d.,/])1/2 (?P<noun>\p{Ll}+)"), half),
            (regex.compile(r"(?<![\d.,])(?P<number>\d{1,4})(?:\.(?P<mark>[ºª°oa]|er)|"
                r"(?P<mark>[ºª]|er))(?![\p{L}\d]|C|F)"), ordinal),
            (regex.compile(r"(?<=\p{L}|^|\s)años (?P<number>[2-9]0)(?!\d)"), decade),
        )  # fmt: skip

    def clock(self, hour: int, minute: int, second: int | None, suffix: str) -> str:
        letters = suffix.lower().replace(".", "").replace(" ", "")
        half = f" {letters[0]} m" if letters in ("am", "pm") else ""
        hours = self.cardinal(hour, "f")
        if second is not None:
            return f"{self.duration(hour, minute, second)}{half}"
        if not minute:
            if half:
                return f"{hours}{half}"
            if letters.startswith("h"):
                return f"{hours} {'hora' if hour == 1 else 'horas'}"
            return hours
        zero = "cero " if minute < 10 else ""
        return f"{hours} {zero}{self.cardinal(minute)}{half}"


def _feminine(words: str) -> str:
    words = regex.sub(r"cientos\b", "cientas", words)
    words = regex.sub(r"quinientos\b", "quinientas", words)
    return regex.sub(r"(?:(?<=veinti)uno|\buno)$", "una", words)


def _short(words: str) -> str:
    """Before a masculine noun: "veintiún", "treinta y un"."""
    words = regex.sub(r"veintiuno$", "veintiún", words)
    return regex.sub(r"\buno$", "un", words)
