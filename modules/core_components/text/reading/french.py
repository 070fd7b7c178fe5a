"""How French reads numbers, signs and abbreviations."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

import regex

from modules.core_components.text.reading.numbers import spaced
from modules.core_components.text.reading.rules import Rules
from modules.core_components.text.reading.symbols import ENGLISH_ONLY, word_set

_FEMININE_ENDINGS = (
    "ion",
    "té",
    "ée",
    "ille",
    "ette",
    "ance",
    "ence",
    "ure",
    "ade",
    "esse",
    "tude",
)
_FEMININE = word_set(
    "fois heure page personne année minute seconde femme fille maison voiture semaine "
    "journée ligne "
    "livre tasse chose table chaise rue ville main porte fenêtre lettre carte pièce vie "
    "mère sœur tonne "
    "place chambre photo image note idée moitié part pomme tranche cuillère bouteille "
    "étoile île école "
    "usine banque entreprise équipe victoire défaite vache poule chèvre once"
)
_NO_NOUNS = word_set(
    "et ou de du des à au aux en par pour avec sans que qui est sont plus moins ici "
    "hier demain ce cet "
    "cette le la les un une il elle on nous vous sur dans"
)


class French(Rules):
    """French as in France."""

    language = "fr"
    locale = "fr"
    converter = "fr"
    region = "FR"
    phone_cues = r"(?i)\b(?:appel\w+|compos\w+|faites|tél\w*\.?|numéro|fax)\b[^.!?]*$"
    group_marks = " .\u00a0\u202f"
    decimal_mark = ","
    longest_decimals = 3
    decimal_marks_in_words: ClassVar = {".": "point", ",": "virgule"}
    to = "à"
    minus = "moins"
    ratio = "à"
    and_ = "et"
    per = "par"
    of_magnitude = "(?:de |d['’])"
    day_suffix = r"(?:er|e)?"
    to_days = "au|et"
    signs: ClassVar = {
        "&": "et", "%": "pour cent", "‰": "pour mille", "+": "plus", "=": "égale", "×": "fois",
        "÷": "divisé par", "±": "plus ou moins", "≤": "inférieur ou égal à",
        "≥": "supérieur ou égal à", "≠": "différent de", "≈": "environ égal à",
        "<": "inférieur à", ">": "supérieur à", "→": ",", "⇒": ",", "←": ",", "->": ",", "=>": ",",
        "@": "arobase", "#": "dièse", "°": "degrés", "§": "paragraphe", "/": "barre oblique",
        "²": "au carré", "³": "au cube", "√": "racine de", "∞": "infini", "^": "puissance",
        "~": ",",
        "|": ",", "\\": "barre inverse", "_": " ", "$": "dollars", "€": "euros", "£": "livres",
        "*": ",", "№": "numéro", "π": "pi",
    }  # fmt: skip
    signs_before_numbers: ClassVar = {
        "~": "environ", "≈": "environ", "<": "inférieur à", ">": "supérieur à", "≤": "au plus",
        "≥": "au moins", "<=": "au plus", ">=": "au moins", "±": "plus ou moins",
        "+/-": "plus ou moins", "#": "numéro", "№": "numéro", "+": "plus", "§": "paragraphe",
        "=": "égale", "@": "à",
    }  # fmt: skip
    approximately = frozenset(("environ", "presque", "quelque"))
    address_marks: ClassVar = {
        "@": "arobase", ".": "point", "/": "barre oblique", "-": "tiret", "_": "tiret bas",
        ":": "deux points", "?": "point d'interrogation", "=": "égale", "&": "et", "#": "dièse",
        "+": "plus", "%": "pour cent", "~": "tilde", "\\": "barre inverse", ",": "virgule",
    }  # fmt: skip
    name_signs: ClassVar = {"++": "plus plus", "#": "dièse", "+": "plus", "*": "étoile"}
    hashtag = "hashtag "
    currencies: ClassVar = {
        "$": ("dollar", "dollars"), "EUR": ("euro", "euros"), "JPY": ("yen", "yens"),
        "GBP": ("livre sterling", "livres sterling"), "CHF": ("franc suisse", "francs suisses"),
        "USD": ("dollar américain", "dollars américains"), "XBT": ("bitcoin", "bitcoins"),
        "INR": ("roupie", "roupies"), "BRL": ("réal", "réals"),
    }  # fmt: skip
    small_units: ClassVar = {
        **dict.fromkeys(("EUR", "CHF"), ("centime", "centimes")),
        **dict.fromkeys(("$", "USD", "CAD", "AUD"), ("cent", "cents")),
        "GBP": ("penny", "pence"),
    }
    magnitudes: ClassVar = {
        **dict.fromkeys(("M", "million", "millions"), ("million", "millions")),
        **dict.fromkeys(("Md", "Mds", "Mrd", "milliard", "milliards"), ("milliard", "milliards")),
        **dict.fromkeys(("k", "K", "mille"), ("mille", "mille")),
    }  # fmt: skip
    unit_names: ClassVar = {
        "concentr-percent": ("pour cent", "pour cent"),
        "concentr-permille": ("pour mille", "pour mille"),
        "digital-mbit-s": ("mégabit par seconde", "mégabits par seconde"),
        "sound-db": ("décibel", "décibels"),
        "frequency-rpm": ("tour par minute", "tours par minute"),
        "speed-kilometer-per-hour": ("kilomètre-heure", "kilomètres-heure"),
        "energy-kilowatt-hour": ("kilowattheure", "kilowattheures"),
        "digital-gigabyte": ("gigaoctet", "gigaoctets"),
        "digital-megabyte": ("mégaoctet", "mégaoctets"),
        "digital-terabyte": ("téraoctet", "téraoctets"),
        "digital-kilobyte": ("kilooctet", "kilooctets"),
        "frames": ("image par seconde", "images par seconde"),
    }  # fmt: skip
    no_units = ENGLISH_ONLY
    more_units: ClassVar = {
        "Go": "digital-gigabyte", "Mo": "digital-megabyte", "To": "digital-terabyte",
        "ko": "digital-kilobyte",
        "Ko": "digital-kilobyte", "Mbps": "digital-mbit-s", "Mb/s": "digital-mbit-s",
        "Mbit/s": "digital-mbit-s",
        "dB": "sound-db", "tr/min": "frequency-rpm", "mn": "duration-minute",
    }  # fmt: skip
    acronyms = word_set(
        "SNCF ONU OTAN UE USA TVA INSEE UNESCO NASA FBI CIA TV CD DVD PC GPS IA SIDA "
        "ADN OVNI EDF RATP "
        "CNRS PSG UNICEF BCE PIB"
    )
    roman_heads = (
        r"[Cc]hapitre|CHAPITRE|[Tt]ome|[Vv]olume|[Pp]artie|[Aa]cte|[Ss]cène|[Ll]ivre|[Tt]itre"
        r"|[Aa]rticle|[Pp]hase|[Tt]ype|[Nn]iveau|[Cc]hap|[Vv]ol|Guerre mondiale"
        r"|\p{Lu}[\p{Ll}]+(?:[ -]\p{Lu}\p{Ll}+)?"
    )
    roman_heads_after = (
        r"(?:et|ou|au|,) (?:le |du |au )?[IVX]+e siècle|siècles?|SIÈCLE"
        r"|[Rr]épublique|[Gg]uerre|arrondissement|[Cc]ongrès|[Rr]eich|édition|s\.(?!\p{L})"
    )
    roman_suffix = "(?:er|ère|re|ème|e)?"
    clock_suffix = r"h|heures?"
    clock_marks = ":hH"
    abbreviations = (
        (r"MM\.", "messieurs"), (r"(?<=ième )s\.", "siècle"), (r"M\.(?= et )", "monsieur"),
        (r"Gén\.", "général"),
        (r"Dre(?= \p{Lu})", "docteure"),
        (r"M\.(?= \p{Lu})", "monsieur"), (r"Mmes\.?(?!\p{L})", "mesdames"),
        (r"Mme\.?(?!\p{L})", "madame"),
        (r"Mlles\.?(?!\p{L})", "mesdemoiselles"), (r"Mlle\.?(?!\p{L})", "mademoiselle"),
        (r"Mgr\.?(?= \p{Lu})", "monseigneur"),
        (r"Drs\.?(?= \p{Lu})", "docteurs"), (r"Dr\.?(?= \p{Lu})", "docteur"),
        (r"Pr\.?(?= \p{Lu})", "professeur"), (r"[Mm]e(?= \p{Lu}\p{Ll}+)(?<=Me)", "maître"),
        (r"Ste\.?(?=[ -]\p{Lu})", "sainte"), (r"Sts\.?(?= \p{Lu})", "saints"),
        (r"St\.?(?=[ -]\p{Lu})", "saint"),
        (r"[Ee]tc\.", "et cetera"), (r"pp\.(?= ?\d)", "pages"), (r"p\.(?= ?\d)", "page"),
        (r"[Cc]hap\.", "chapitre"),
        (r"[Vv]ol\.", "volume"), (r"[Aa]rt\.", "article"), (r"[Ff]ig\.", "figure"),
        (r"n[°ºo]s? ?(?=\d)", "numéro "), (r"N[°º] ?(?=\d)", "numéro "), (r"num\.", "numéro"),
        (r"p\. ?ex\.", "par exemple"), (r"c\.-à-d\.|càd(?!\p{L})|c\.à\.d\.", "c'est-à-dire"),
        (r"[Ee]nv\.", "environ"), (r"[Tt]él\.", "téléphone"),
        (r"[Aa]v\.(?= \p{Lu})(?! J)", "avenue"),
        (r"[Bb](?:oulevar)?d\.?(?= \p{Lu})(?<=[Bb]d\.?)", "boulevard"),
        (r"[Pp]l\.(?= \p{Lu})", "place"),
        (r"av\. ?J\.?-? ?C\.?", "avant Jésus-Christ"),
        (r"apr?\. ?J\.?-? ?C\.?", "après Jésus-Christ"),
        (r"S\. ?A\.(?!\p{L})", "S A"), (r"S\.A\.R\.L\.", "S A R L"),
        (r"[Cc]ie(?!\p{L})", "compagnie"), (r"[Éé]d\.", "édition"), (r"cf\.", "confer"),
        (r"vs\.?(?!\p{L})", "contre"), (r"ms?ax\.(?= \p{Ll})", "maximum"),
        (r"min\.(?= \p{Ll})", "minimum"), (r"[Dd]épt?\.", "département"),
        (r"R\.-?V\.?", "rendez-vous"), (r"RDV(?!\p{L})", "rendez-vous"),
        (r"svp(?!\p{L})|SVP(?!\p{L})", "s'il vous plaît"), (r"Md€", "milliards d'euros"),
        (r"janv\.", "janvier"), (r"févr?\.", "février"), (r"avr\.", "avril"),
        (r"juil\.", "juillet"), (r"sept\.", "septembre"),
        (r"oct\.", "octobre"), (r"nov\.", "novembre"), (r"déc\.", "décembre"),
        (r"bis(?<=\d bis)", "bis"),
    )  # fmt: skip
    more_months: ClassVar = {"fev": 2, "fév": 2, "sept": 9, "dec": 12, "aout": 8}

    def cardinal(self, value: int, gender: str = "m") -> str:
        words = self._words(value)
        return regex.sub(r"\bun$", "une", words) if gender == "f" else words

    def counted(self, value: int, following: str) -> str:
        noun = following.lower()
        if value % 10 == 1 and noun and noun not in _NO_NOUNS and value % 100 not in (11, 71, 91):
            single = noun.removesuffix("s")
            if single in _FEMININE or single.endswith(_FEMININE_ENDINGS):
                return self.cardinal(value, "f")
        return self.cardinal(value)

    def currency_gender(self, code: str) -> str:
        return (
            "f"
            if self.currency(code, Decimal(1)).startswith(("livre", "roupie", "couronne", "lire"))
            else "m"
        )

    def unit_gender(self, unit: str) -> str:
        feminine = (
            "heure",
            "minute",
            "seconde",
            "tonne",
            "livre",
            "once",
            "image",
            "année",
            "calorie",
        )
        return "f" if self.unit(unit, Decimal(1)).startswith(feminine) else "m"

    def is_one(self, value: Decimal) -> bool:
        return abs(value) < 2

    def money(self, amount: str, code: str, magnitude: str = "") -> str:
        if magnitude:
            one, several = self.magnitudes[magnitude]
            size = one if self.is_one(Decimal(self.plain(amount))) else several
            name = self.currency(code, Decimal(2))
            return (
                f"{self.say(amount)} {size} {name if size == 'mille' else self.of_currency(name)}"
            )
        plain = self.plain(amount)
        whole, _, small = plain.partition(".")
        if code == "EUR" and len(small) == 2 and small != "00" and int(whole) > 0:
            euros = self.currency(code, Decimal(whole))
            return f"{self.say(whole)} {euros} {self.cardinal(int(small))}"
        return super().money(amount, code)

    def of_currency(self, name: str) -> str:
        return f"d'{name}" if name[0] in "aeiouyéh" else f"de {name}"

    def ordinal(self, value: int, gender: str = "m") -> str:
        if value == 1:
            return "première" if gender == "f" else "premier"
        return self._words(value, "ordinal")

    def fraction(self, above: int, below: int) -> str:
        names = {2: ("demi", "demis"), 3: ("tiers", "tiers"), 4: ("quart", "quarts")}
        one, several = names.get(below) or (self.ordinal(below), f"{self.ordinal(below)}s")
        return f"un {one}" if above == 1 else f"{self.cardinal(above)} {several}"

    def phone(self, group: str) -> str:
        in_pairs = len(group) <= 2 and group[0] != "0"
        return self.cardinal(int(group)) if in_pairs else self.digits(group)

    def roman(self, value: int, head: str, before: str = "") -> str:
        if head.lower().startswith(
            (
                "siècle",
                "s.",
                "et ",
                "ou ",
                "au ",
                ", ",
                "arrond",
                "congr",
                "reich",
                "répub",
                "guerre",
                "édition",
            )
        ):
            feminine = head.lower().startswith(("répub", "guerre", "édition"))
            return self.ordinal(value, "f" if feminine else "m")
        if value == 1 and head[:1].isupper() and head not in _PARTS:
            return self.ordinal(1, "f" if head.split()[0] in _WOMEN else "m")
        return self.cardinal(value)

    def number_patterns(self) -> tuple[tuple[Any, Callable[[Any], str]], ...]:
        def ordinal(found: Any) -> str:
            feminine = found["mark"] in ("re", "ère", "nde")
            value = int(found["number"])
            if value == 2 and found["mark"] in ("nd", "nde"):
                return f"second{'e' if feminine else ''}"
            return spaced(found, self.ordinal(value, "f" if feminine else "m"))

        def half(found: Any) -> str:
            return (
                f"une demi-{found['noun']}"
                if found["noun"] in _FEMININE
                else f"un demi {found['noun']}"
            )

        return (
            (regex.compile(r"(?<![\d.,/])(?:1/2|½) (?P<noun>\p{Ll}+)"), half),
            (regex.compile(r"(?<![\d.,])(?P<number>\d{1,4})(?P<mark>er|re|ère|ème|eme|nde"
                r"|nd|e|ᵉ|ʳᵉ)(?P<s>s?)(?![\p{L}\d])"), ordinal),
        )  # fmt: skip

    def day(self, day: int, before: str) -> str:
        return "premier" if day == 1 else self.cardinal(day)

    def clock(self, hour: int, minute: int, second: int | None, suffix: str) -> str:
        hours = f"{self.cardinal(hour, 'f')} heure{'' if hour < 2 else 's'}"
        if second is not None:
            minutes = self.quantity(str(minute), "duration-minute")
            return f"{hours} {minutes} et {self.quantity(str(second), 'duration-second')}"
        return f"{hours} {self.cardinal(minute)}" if minute else hours


_PARTS = word_set("Chapitre Tome Volume Partie Acte Scène Livre Titre Article Phase Type Niveau")
_WOMEN = word_set("Élisabeth Elisabeth Catherine Marie Marguerite Isabelle Christine Anne")
