"""How Brazilian Portuguese reads numbers, signs and abbreviations."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

import regex

from modules.core_components.text.reading.numbers import spaced
from modules.core_components.text.reading.rules import Rules
from modules.core_components.text.reading.symbols import ENGLISH_ONLY, word_set

_NO_NOUNS = word_set(
    "e ou de da do das dos a à às ao em na no por para com sem que é foi são mais menos "
    "hoje ontem já "
    "aqui lá agora as os uma"
)
_MASCULINE_IN_A = word_set(
    "dia dias problema problemas mapa mapas idioma idiomas clima sistema sistemas "
    "programa programas "
    "tema temas planeta planetas grama gramas quilograma quilogramas"
)

_FEMININE = word_set(
    "foto fotos moto motos vezes vez mães mãe noites noite flores flor mulheres mulher"
)
_FEMININE_ENDINGS = ("a", "as", "ções", "ção", "dade", "dades", "gem", "gens")


class BrazilianPortuguese(Rules):
    """Portuguese as in Brazil."""

    language = "pt"
    locale = "pt_BR"
    converter = "pt_BR"
    region = "BR"
    phone_cues = r"(?i)\b(?:lig\w+|disque|chame|tel\w*\.?|telefone|número|fax)\b[^.!?]*$"
    group_marks = ". \u00a0\u202f"
    decimal_mark = ","
    longest_decimals = 2
    decimal_marks_in_words: ClassVar = {".": "ponto", ",": "vírgula"}
    to = "a"
    minus = "menos"
    ratio = "a"
    and_ = "e"
    per = "por"
    money_joiner = " e "
    of_magnitude = "de"
    of_month = "de"
    day_suffix = r"[º°o]?"
    to_days = "a|e"
    signs: ClassVar = {
        "&": "e", "%": "por cento", "‰": "por mil", "+": "mais", "=": "igual a", "×": "vezes",
        "÷": "dividido por", "±": "mais ou menos", "≤": "menor ou igual a", "≥": "maior ou igual a",
        "≠": "diferente de", "≈": "aproximadamente igual a", "<": "menor que", ">": "maior que",
        "→": ",", "⇒": ",", "←": ",", "->": ",", "=>": ",", "@": "arroba", "#": "cerquilha",
        "°": "graus", "§": "parágrafo", "/": "barra", "²": "ao quadrado", "³": "ao cubo",
        "√": "raiz de", "∞": "infinito", "^": "elevado a", "~": ",", "|": ",",
        "\\": "barra invertida", "_": " ", "$": "dólares", "€": "euros", "£": "libras", "*": ",",
        "№": "número", "π": "pi",
    }  # fmt: skip
    signs_before_numbers: ClassVar = {
        "~": "aproximadamente", "≈": "aproximadamente", "<": "menor que", ">": "maior que",
        "≤": "no máximo", "≥": "no mínimo", "<=": "no máximo", ">=": "no mínimo",
        "±": "mais ou menos", "+/-": "mais ou menos", "#": "número", "№": "número", "+": "mais",
        "§": "parágrafo", "=": "igual a", "@": "a",
    }  # fmt: skip
    approximately = frozenset(("aproximadamente", "cerca", "quase", "uns", "umas"))
    address_marks: ClassVar = {
        "@": "arroba", ".": "ponto", "/": "barra", "-": "hífen", "_": "sublinhado",
        ":": "dois pontos", "?": "interrogação", "=": "igual", "&": "e", "#": "cerquilha",
        "+": "mais", "%": "por cento", "~": "til", "\\": "barra invertida", ",": "vírgula",
    }  # fmt: skip
    name_signs: ClassVar = {"++": "mais mais", "#": "sharp", "+": "mais", "*": "asterisco"}
    hashtag = "hashtag "
    currencies: ClassVar = {
        "BRL": ("real", "reais"), "$": ("dólar", "dólares"), "EUR": ("euro", "euros"),
        "JPY": ("iene", "ienes"), "GBP": ("libra esterlina", "libras esterlinas"),
        "USD": ("dólar americano", "dólares americanos"), "CHF": ("franco suíço", "francos suíços"),
        "XBT": ("bitcoin", "bitcoins"), "INR": ("rupia", "rupias"),
    }  # fmt: skip
    small_units: ClassVar = {
        **dict.fromkeys(("BRL", "$", "USD"), ("centavo", "centavos")),
        "EUR": ("cêntimo", "cêntimos"),
        "GBP": ("penny", "pence"),
    }
    magnitudes: ClassVar = {
        **dict.fromkeys(("M", "mi", "mi.", "milhão", "milhões", "mm"), ("milhão", "milhões")),
        **dict.fromkeys(("bi", "bi.", "bilhão", "bilhões", "B"), ("bilhão", "bilhões")),
        **dict.fromkeys(("tri", "trilhão", "trilhões"), ("trilhão", "trilhões")),
        **dict.fromkeys(("mil", "k", "K"), ("mil", "mil")),
    }  # fmt: skip
    unit_names: ClassVar = {
        "concentr-percent": ("por cento", "por cento"), "concentr-permille": ("por mil", "por mil"),
        "digital-mbit-s": ("megabit por segundo", "megabits por segundo"),
        "sound-db": ("decibel", "decibéis"),
        "frequency-rpm": ("rotação por minuto", "rotações por minuto"),
        "energy-kilowatt-hour": ("quilowatt-hora", "quilowatts-hora"),
        "digital-gigabyte": ("gigabyte", "gigabytes"), "mass-tonne": ("tonelada", "toneladas"),
    }  # fmt: skip
    no_units = ENGLISH_ONLY
    more_units: ClassVar = {
        "Mbps": "digital-mbit-s", "Mb/s": "digital-mbit-s", "dB": "sound-db",
        "rpm": "frequency-rpm",
        "seg": "duration-second",
    }  # fmt: skip
    acronyms = word_set(
        "ONU OTAN UE EUA FMI CPF CNPJ RG SUS INSS IBGE USP UNESCO NASA FBI CIA TV CD "
        "DVD PC GPS IA PIB "
        "AIDS DNA OVNI STF PT UNICEF"
    )
    roman_heads = (
        r"[Ss]éculos?|SÉCULO|[Cc]apítulo|CAPÍTULO|[Tt]omo|[Vv]olume|[Pp]arte|[Aa]to"
        r"|[Cc]ena|[Ll]ivro"
        r"|[Tt]ítulo|[Aa]rtigo|[Ff]ase|[Tt]ipo|[Nn]ível|[Cc]ap|[Vv]ol|Guerra Mundial"
        r"|\p{Lu}\p{Ll}+(?: \p{Lu}\p{Ll}+)?"
    )
    roman_heads_after = (
        r"Guerra|[Cc]ongresso|[Ee]dição|[Rr]epública|[Cc]onferência|[Ee]ncontro|[Ss]emana"
    )
    clock_suffix = r"h|hs|horas?|a\.m\.|am|p\.m\.|pm"
    clock_marks = ":hH"
    abbreviations = (
        (r"[Ss]rs\.", "senhores"), (r"[Ss]rta\.", "senhorita"), (r"[Ss]ras\.", "senhoras"),
        (r"[Ss]ra\.", "senhora"), (r"[Ss]r\.", "senhor"),
        (r"Drs\.", "doutores"), (r"Dra\.", "doutora"), (r"Dr\.", "doutor"),
        (r"Profa\.|Prof\.ª|Prof\.a", "professora"), (r"Prof\.", "professor"),
        (r"D\.(?= \p{Lu}\p{Ll})", "dona"), (r"Eng\.", "engenheiro"), (r"Gen\.", "general"),
        (r"Cel\.", "coronel"), (r"Sto\.", "santo"), (r"Sta\.", "santa"),
        (r"S\.(?= \p{Lu}\p{Ll})", "são"), (r"V\. ?Ex?a\.", "vossa excelência"),
        (r"V\. ?S\.?a\.", "vossa senhoria"),
        (r"[Ee]tc\.", "et cetera"), (r"[Pp]ágs\.|pp\.", "páginas"),
        (r"[Pp]ág\.|p\.(?= ?\d)", "página"), (r"[Cc]ap\.(?= ?[\dIVX])", "capítulo"),
        (r"[Vv]ol\.", "volume"), (r"[Aa]rt\.", "artigo"), (r"[Ff]igs\.", "figuras"),
        (r"[Ff]ig\.", "figura"), (r"[Nn]\.?[º°](?= ?\d)|[Nn]úm\.", "número"),
        (r"p\. ?ex\.", "por exemplo"), (r"[Aa]prox\.", "aproximadamente"),
        (r"[Tt]el\.", "telefone"), (r"Av\.", "avenida"), (r"R\.(?= \p{Lu}\p{Ll})", "rua"),
        (r"[Pp]ça\.", "praça"), (r"[Aa]pto?\.", "apartamento"), (r"[Cc]ia\.", "companhia"),
        (r"Ltda\.?(?!\p{L})", "limitada"), (r"S\.A\.|S/A(?!\p{L})", "S A"),
        (r"a\. ?C\.", "antes de Cristo"), (r"d\. ?C\.", "depois de Cristo"),
        (r"E\.?U\.?A\.", "Estados Unidos"), (r"vs\.?(?!\p{L})", "versus"), (r"cf\.", "confira"),
        (r"[Ee]d\.(?= )", "edição"), (r"[Dd]epto?\.", "departamento"), (r"máx\.", "máximo"),
        (r"mín\.", "mínimo"), (r"obs\.", "observação"), (r"[Jj]r\.", "júnior"),
        (r"jan\.", "janeiro"), (r"fev\.", "fevereiro"), (r"abr\.", "abril"), (r"jun\.", "junho"),
        (r"jul\.", "julho"), (r"ago\.", "agosto"),
        (r"set\.(?= )", "setembro"), (r"out\.(?= )", "outubro"), (r"nov\.", "novembro"),
        (r"dez\.(?= )", "dezembro"),
    )  # fmt: skip

    def cardinal(self, value: int, gender: str = "m") -> str:
        words = self._words(value)
        if 1000 <= value < 1_000_000 and value % 1000:
            # "mil e quinhentos", "mil e cinco", but "mil duzentos e cinquenta".
            rest = value % 1000
            head = self._words(value - rest)
            joint = " e " if rest < 100 or rest % 100 == 0 else " "
            words = f"{head}{joint}{self._words(rest)}"
        return _feminine(words) if gender == "f" else words

    def counted(self, value: int, following: str) -> str:
        noun = following.lower()
        known = noun and noun not in _NO_NOUNS and noun not in _MASCULINE_IN_A
        if known and (noun in _FEMININE or noun.endswith(_FEMININE_ENDINGS)):
            return self.cardinal(value, "f")
        return self.cardinal(value)

    def currency_gender(self, code: str) -> str:
        return "f" if self.currency(code, Decimal(1)).split()[0].endswith("a") else "m"

    def unit_gender(self, unit: str) -> str:
        first = self.unit(unit, Decimal(1)).split()[0]
        return "f" if first.endswith("a") and first not in _MASCULINE_IN_A else "m"

    def ordinal(self, value: int, gender: str = "m") -> str:
        words = self._words(value, "ordinal")
        return " ".join(f"{word[:-1]}a" for word in words.split()) if gender == "f" else words

    def fraction(self, above: int, below: int) -> str:
        names = {2: ("meio", "meios"), 3: ("terço", "terços"), 4: ("quarto", "quartos")}
        if (above, below) == (1, 2):
            return "meio"
        part = self.ordinal(below) if below <= 10 else f"{self.cardinal(below)} avo"
        one, several = names.get(below) or (part, f"{part}s")
        return f"um {one}" if above == 1 else f"{self.cardinal(above)} {several}"

    def roman(self, value: int, head: str, before: str = "") -> str:
        word = head.split()[0] if head else ""
        if regex.match(r"Guerra|[Rr]epública|[Ee]dição|[Cc]onferência|[Ss]emana", head):
            return self.ordinal(value, "f")
        if regex.match(r"[Cc]ongresso|[Ee]ncontro", head):
            return self.ordinal(value)
        if head[:1].islower() or head.isupper() or word in _PARTS or value > 10:
            return self.cardinal(value)
        return self.ordinal(value, "f" if word in _WOMEN else "m")

    def number_patterns(self) -> tuple[tuple[Any, Callable[[Any], str]], ...]:
        def ordinal(found: Any) -> str:
            feminine = found["mark"] in ("ª", "a")
            return spaced(found, self.ordinal(int(found["number"]), "f" if feminine else "m"))

        def half(found: Any) -> str:
            return f"{'meia' if found['noun'].endswith('a') else 'meio'} {found['noun']}"

        return (
            (regex.compile(r"(?<![\d.,/])1/2 (?P<noun>\p{Ll}+)"), half),
            (regex.compile(r"(?<![\d.,])(?P<number>\d{1,4})\.?(?P<mark>[ºª]|(?<=(?<!\d)"
                r"(?:[1-9]|[12]\d|3[01]))°(?= \p{Ll}{3,}))(?![\p{L}\d])"), ordinal),
        )  # fmt: skip

    def day(self, day: int, before: str) -> str:
        return "primeiro" if day == 1 else self.cardinal(day)

    def clock(self, hour: int, minute: int, second: int | None, suffix: str) -> str:
        letters = suffix.lower().replace(".", "")
        half = {"am": " da manhã", "pm": " da tarde"}.get(letters, "")
        hours = self.cardinal(hour, "f")
        if second is not None:
            return self.duration(hour, minute, second)
        if not minute:
            return f"{hours} {'hora' if hour == 1 else 'horas'}{half}"
        return f"{hours} e {self.cardinal(minute)}{half}"


_PARTS = word_set("Capítulo Tomo Volume Parte Ato Cena Livro Título Artigo Fase Tipo Nível Cap Vol")
_WOMEN = word_set("Isabel Maria Catarina Cristina Ana Joana Elizabeth")


def _feminine(words: str) -> str:
    words = regex.sub(r"entos\b(?! milh)", "entas", words)
    words = regex.sub(r"\bum$", "uma", words)
    return regex.sub(r"\bdois\b(?! milh)", "duas", words)
