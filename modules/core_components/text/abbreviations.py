"""Words with a full stop that does not, or not always, end a sentence. All lower-case."""

from __future__ import annotations

from collections.abc import Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# By language (ISO 639-1); a name goes on after them, so they never end a sentence.
ABBREVIATIONS: Mapping[str, frozenset[str]] = {
    "en": _words(
        "mr mrs ms mx dr prof st mt ft rev hon gen col lt capt sgt sen rep gov pres messrs vs fig "
        "figs vol ch sec pp eq e.g i.e cf ca approx viz dept est jan feb mar apr jun jul aug sep "
        "sept oct nov dec"
    ),
    "de": _words(
        "dr prof hr fr frl st bzw ca vgl z.b d.h u.a s.o s.u abs art bd geb ggf inkl evtl max min "
        "mio mrd sog str tel i.d.r o.ä z b d h u"
    ),
    "fr": _words("m mm mme mlle dr pr st ste av bd p.ex cf env chap fig vol art"),
    "es": _words("sr sra srta sres dr dra d dña prof ing lic st sto sta av pág ej p.ej aprox vol"),
    "it": _words("sig sigg sig.ra dott dott.ssa prof ing avv on st pag vol fig cfr es p.es ca"),
    "pt": _words("sr sra srta dr dra prof profa eng d av pág ex p.ex vol fig"),
    "nl": _words("dhr mevr mw dr prof ir ing drs st bijv ca blz d.w.z o.a t.a.v m.b.t"),
    "pl": _words("dr prof inż mgr św ul al np tj tzn ok godz im"),
    "ru": _words("г гг ул пр д стр рис см ср проф акад им т.е т.к т.н т.д тыс млн млрд"),
}

# "No. 5", but "No. I said so."
BEFORE_NUMBERS = _words("no nos nr núm n° n p s r")

# May end a sentence; it goes on unless a word follows that begins sentences.
AMBIGUOUS = _words("etc inc ltd co corp jr sr bros a.m p.m u.s u.k u.n d.c ph.d usw")

BEGINNERS = _words(
    "a an and any as at both but by do does each either every everyone few for from he her here "
    "his how i if in it its let many most my neither no nobody none not now of on one only or "
    "our she so some such that the their then there these they this those to today we what when "
    "where which while who why with yes you your "
    "der die das ein eine er sie es wir ihr ich und aber dann doch danach"
)

# There a number with a full stop is an ordinal: "am 3. Oktober".
ORDINAL_LANGUAGES = _words("de da nb no nn cs sk fi hu et lv")
