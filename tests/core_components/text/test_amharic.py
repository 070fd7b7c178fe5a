"""Amharic: what its signs and words sound like, how texts are written for engines, and what reads
them. `bench/amharic_agreement.py` compares the rules with CLDR and epitran."""

from __future__ import annotations

import pickle
import random
import shutil
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import regex

from modules.core_components.errors import BadInputError
from modules.core_components.text.amharic import backends
from modules.core_components.text.amharic.backends import (
    EPITRAN,
    RULES,
    TRANSPHONE,
    available_backends,
    open_backend,
)
from modules.core_components.text.amharic.front_end import ETHIOPIC, LATIN, AmharicFrontEnd
from modules.core_components.text.amharic.phonemes import ipa_to_latin, to_ipa, word_to_ipa
from modules.core_components.text.amharic.syllables import homophones, syllables
from modules.core_components.text.reading.amharic import ethiopic_value
from modules.core_components.text.reading.front_end import explain, spoken_form
from modules.core_components.text.sentences import split_sentences

ASSIGNED = [
    chr(code)
    for code in range(sys.maxunicode + 1)
    if unicodedata.name(chr(code), "").startswith("ETHIOPIC ")
]
LATIN_RULES = AmharicFrontEnd(LATIN, open_backend(RULES))
IN_SIGNS = AmharicFrontEnd(ETHIOPIC)
WAYS = (LATIN_RULES, IN_SIGNS)
# Consonants and vowels of Amharic and of the names that it borrows.
IPA = regex.compile(r"[aeiouəɨbdfhjklmnprstvwzɡɓɗŋɲʃʒʔʼʷʲː\u0361]+")


def test_every_assigned_sign_has_a_sound() -> None:
    assert len(ASSIGNED) > 500
    for sign in ASSIGNED:
        if "SYLLABLE" in unicodedata.name(sign):
            assert IPA.fullmatch(word_to_ipa(sign)), sign
        latin = LATIN_RULES.prepare(f"ሀ{sign}ሀ").text
        assert not regex.search(r"\p{Ethiopic}", latin), sign
        assert latin.startswith("h"), sign


@pytest.mark.parametrize(
    ("sign", "ipa"),
    [
        ("ሀ", "ha"), ("አ", "ʔa"), ("ዐ", "ʔa"), ("ኸ", "hə"), ("ለ", "lə"), ("ሏ", "lʷa"), ("ቨ", "və"),
        ("ቯ", "vʷa"), ("ቈ", "kʼʷə"), ("ቋ", "kʼʷa"), ("ኲ", "kʷi"), ("ኵ", "kʷɨ"), ("ጨ", "t͡ʃʼə"),
        ("ቸ", "t͡ʃə"), ("ጸ", "sʼə"), ("ፀ", "sʼə"), ("ጀ", "d͡ʒə"), ("ኘ", "ɲə"), ("የ", "jə"),
        ("ወ", "wə"), ("ዎ", "wo"), ("ኧ", "ə"), ("ፚ", "fʲa"), ("ⶁ", "mo"), ("ᎀ", "mʷə"), ("ሟ", "mʷa"),
        ("ዸ", "ɗə"), ("ꬁ", "tʼu"), ("ጟ", "ŋʷa"), ("ⶓ", "ŋʷə"), ("ሇ", "ho"),
    ],
)  # fmt: skip
def test_signs_sound_as_cldr_has_them(sign: str, ipa: str) -> None:
    assert word_to_ipa(sign) == ipa


@pytest.mark.parametrize(
    ("word", "ipa", "latin"),
    [
        ("ሰላም", "səlam", "sälam"),
        ("አማርኛ", "ʔamarɲa", "amarña"),
        ("ኢትዮጵያ", "ʔitjopʼja", "ityop'ya"),
        ("መንግሥት", "mənɡɨst", "mängıst"),
        ("ትምህርት", "tɨmhɨrt", "tımhırt"),
        ("ግብር", "ɡɨbɨr", "gıbır"),
        ("ክንፍ", "kɨnf", "kınf"),
        ("ወንድም", "wəndɨm", "wändım"),
        ("እንግሊዝኛ", "ʔɨnɡɨlizɲa", "ıngılizña"),
        ("ስድስት", "sɨdɨst", "sıdıst"),
        ("አምስት", "ʔamɨst", "amıst"),
        ("ቋንቋ", "kʼʷankʼʷa", "k'wank'wa"),
        ("ጸሐይ", "sʼəhaj", "s'ähay"),
        ("ሰዓት", "səʔat", "sä-at"),
        ("ልብ", "lɨb", "lıb"),
        ("ን", "nɨ", "nı"),
        ("ይህ", "jɨh", "yıh"),
        ("ልልህ", "lɨlh", "lılh"),
        ("ኧረ", "ərə", "ärä"),
        ("ሰበ፟ረ", "səbːərə", "säbbärä"),
        ("ሰበ፝ረ", "səbːəːrə", "säbbäärä"),
    ],
)
def test_words_have_the_vowel_only_where_it_is_said(word: str, ipa: str, latin: str) -> None:
    assert word_to_ipa(word) == ipa
    assert ipa_to_latin(ipa) == latin


def test_no_word_has_consonants_that_cannot_be_said_together() -> None:
    signs = [sign for sign in syllables() if ord(sign) < 0x1380]
    draws = random.Random(1)
    consonant = r"(?:[^aeiouəɨʼʷʲː][ʼʷʲː]*+)"
    for _ in range(3000):
        ipa = word_to_ipa("".join(draws.choices(signs, k=draws.randint(1, 8))))
        ipa = regex.sub("t͡ʃ|d͡ʒ|d͡z", "c", ipa)
        assert not regex.match(rf"{consonant}{{2}}", ipa), ipa
        assert not regex.search(rf"{consonant}{{3}}", ipa), ipa


@pytest.mark.skipif(shutil.which("uconv") is None, reason="needs ICU's uconv")
def test_200_words_agree_with_cldr_but_for_the_vowel_that_is_not_written() -> None:
    from bench.amharic_agreement import amharic_words, by_cldr, without_first_order

    words = amharic_words(200)
    assert len(set(words)) == 200
    ours = [without_first_order(word_to_ipa(word)) for word in words]
    assert ours == [without_first_order(ipa) for ipa in by_cldr(words)]


def test_latin_text_stays_as_it_is() -> None:
    text = "Hello, world! çşñ 'x' (y)"
    assert to_ipa(text) == text
    for way in WAYS:
        once = way.prepare(text).text
        assert once == text.lower()
        assert way.prepare(once).text == once


def test_a_mark_of_length_without_a_sign_is_told() -> None:
    for way in WAYS:
        found = way.prepare("ሰላም \u135f ነው")
        assert "\u135f" not in found.text
        assert found.dropped == {"\u135f": 1}


def test_a_prepared_text_stays_as_it_is() -> None:
    text = "ዶ/ር ሥላሴ በ2016 ዓ.ም. 3:30 ላይ 25.5 ኪ.ሜ ሄዱ፡፡ «ጸሐይ» ወጣች፣ለምን፧"
    for way in WAYS:
        once = way.prepare(text).text
        assert way.prepare(once).text == once


def test_signs_of_one_sound_are_written_as_one() -> None:
    assert IN_SIGNS.prepare("ሠላም ዓለም ኃይል ፀሐይ").text == "ሰላም አለም ሀይል ጸሀይ"
    # Folding never changes how a word sounds.
    for code, kept in homophones().items():
        assert word_to_ipa(chr(code)) == word_to_ipa(kept)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("25 ሰዎች", "ሃያ አምስት ሰዎች"),
        ("1,234,567", "አንድ ሚሊዮን ሁለት መቶ ሠላሳ አራት ሺህ አምስት መቶ ስድሳ ሰባት"),
        ("3.14", "ሦስት ነጥብ አንድ አራት"),
        ("በ2016 ዓ.ም", "በሁለት ሺህ አሥራ ስድስት ዓመተ ምሕረት"),
        ("፲፱፻፺፪ ዓ.ም", "አንድ ሺህ ዘጠኝ መቶ ዘጠና ሁለት ዓመተ ምሕረት"),
        ("መስከረም ፪ ቀን ፳፻፲፮", "መስከረም ሁለት ቀን ሁለት ሺህ አሥራ ስድስት"),
        ("05/01/2024", "ጃንዋሪ አምስት ቀን ሁለት ሺህ ሃያ አራት"),
        ("2024-01-05", "ጃንዋሪ አምስት ቀን ሁለት ሺህ ሃያ አራት"),
        ("3ኛ ክፍል", "ሦስተኛ ክፍል"),
        ("20ኛው", "ሃያኛው"),
        ("5.50 ብር", "አምስት ብር ከአምሳ ሳንቲም"),
        ("$20", "ሃያ ዶላር"),
        ("50%", "አምሳ በመቶ"),
        ("3:30", "ሦስት ሰዓት ተኩል"),
        ("3፡15 ሰዓት", "ሦስት ሰዓት ከአሥራ አምስት ደቂቃ"),
        ("5 ኪ.ሜ", "አምስት ኪሎሜትር"),
        ("10 km", "አሥር ኪሎሜትር"),
        ("ከ3-5", "ከሦስት እስከ አምስት"),
        ("-5", "አሉታዊ አምስት"),
        ("1/2 ሊትር", "ግማሽ ሊትር"),
        ("ዶ/ር አበበ ገ/መድኅን", "ዶክተር አበበ ገብረመድኅን"),
    ],
)
def test_numbers_dates_and_abbreviations_are_read_in_words(text: str, words: str) -> None:
    assert spoken_form(text, "am") == words


@pytest.mark.parametrize(
    ("numeral", "value"),
    [("፩", 1), ("፲", 10), ("፺፱", 99), ("፻", 100), ("፪፻፭", 205), ("፲፱፻፺፪", 1992), ("፼", 10_000),
     ("፻፼", 1_000_000), ("፼፼", 10**8), ("፩፼፪፻", 10_200)],
)  # fmt: skip
def test_ethiopic_numerals_have_their_values(numeral: str, value: int) -> None:
    assert ethiopic_value(numeral) == value


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.way)
def test_nothing_crashes_and_nothing_is_lost_in_silence(way: AmharicFrontEnd) -> None:
    mixed = "ሰላም hello мир 漢字 😀 \u200fሀ\u200bለ\x07\x00 \ud800 👩\u200d👧 ፟"
    found = way.prepare(mixed)
    for kept in ("hello", "мир", "漢字"):
        assert kept in found.text
    assert set("😀\u200f\x07\x00\ud800👩\u200d👧") <= set(found.dropped)
    assert "GRINNING FACE" in found.dropped_in_words
    assert not set(found.text) & set(found.dropped)
    found.text.encode("utf-8")
    digits = way.prepare("7" * 5000)
    assert len(digits.text.split()) == 5000
    assert not digits.dropped
    for character in map(chr, (*range(0x2100), *range(0xD7FF, 0xD802), *range(0x1F600, 0x1F603))):
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "So", "Sk", "Sm"):
            text = f"ሀ{character}ለ"
            found = way.prepare(text)
            is_shown = found.dropped or explain(text, "am") or character.isspace()
            assert is_shown or character in found.text, hex(ord(character))


def test_what_is_not_said_is_a_step_that_is_shown() -> None:
    changes = explain("ሰላም 😀", "am")
    assert [change.name for change in changes] == ["unspoken"]
    assert explain("Hello 😀", "en-us") == ()


def test_a_text_in_another_script_is_refused() -> None:
    for way in WAYS:
        with pytest.raises(BadInputError, match="Ethiopic"):
            way.check("selam, dehna neh?")
        way.check("WhatsApp ላይ ነኝ")
        way.check("123 !")


def test_the_front_end_of_a_record_is_the_same() -> None:
    for way in WAYS:
        again = AmharicFrontEnd.from_record(way.record)
        assert again is not None
        assert again.prepare("ሰላም 5").text == way.prepare("ሰላም 5").text
    assert AmharicFrontEnd.from_record({"name": "coqui-tts VoiceBpeTokenizer"}) is None


@pytest.mark.parametrize(
    "change", [{"version": 0}, {"way": "other"}, {"backend": EPITRAN}, {"backend_version": "0"}]
)
def test_a_record_that_cannot_be_followed_is_refused(
    change: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "available_backends", lambda: (RULES,))
    with pytest.raises(BadInputError):
        AmharicFrontEnd.from_record({**LATIN_RULES.record, **change})


def _install(folder: Path, name: str, files: dict[str, str]) -> None:
    for file, content in files.items():
        path = folder / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    info = folder / f"{name}-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n")


@pytest.fixture
def own_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, in front of what is installed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    loaded: dict[str, ModuleType] = {}
    for name in [one for one in sys.modules if one.split(".")[0] in (EPITRAN, TRANSPHONE)]:
        loaded[name] = sys.modules.pop(name)
    backends._epitran.cache_clear()
    backends._transphone.cache_clear()
    yield tmp_path
    backends._epitran.cache_clear()
    backends._transphone.cache_clear()
    for name in [one for one in sys.modules if one.split(".")[0] in (EPITRAN, TRANSPHONE)]:
        del sys.modules[name]
    sys.modules.update(loaded)


def test_the_best_backend_that_is_here_is_used(own_packages: Path) -> None:
    assert available_backends()[-1] == RULES
    _install(
        own_packages,
        EPITRAN,
        {
            "__init__.py": "class Epitran:\n"
            "    def __init__(self, code): assert code == 'amh-Ethi'\n"
            "    def transliterate(self, word): return word.replace('ሰ', 'sə').replace('ላ', 'la')\n"
        },
    )
    assert available_backends()[0] == EPITRAN
    front_end = AmharicFrontEnd.of(LATIN)
    assert front_end.record["backend"] == EPITRAN
    assert "epitran 9.9" in front_end.about
    # What it does not know, the rules read.
    assert front_end.prepare("ሰላም").text == "sälamı"
    # Nor marks of length.
    assert front_end.prepare("ሰበ፟ረ").text == "säbbärä"
    _install(
        own_packages,
        TRANSPHONE,
        {
            "__init__.py": "",
            "g2p.py": "class Reader:\n"
            "    def inference(self, word, language):\n"
            "        assert language == 'amh'\n"
            "        return ['t͡ʃʼ', 'a']\n"
            "def read_g2p(model_name, device): return Reader()\n",
        },
    )
    assert available_backends()[0] == EPITRAN, "its model would have to be downloaded"
    (own_packages / TRANSPHONE / "data" / "model" / "042801_base").mkdir(parents=True)
    assert available_backends() == (TRANSPHONE, EPITRAN, RULES)
    best = AmharicFrontEnd.of(LATIN)
    assert best.prepare("ሰላም").text == "ç'a"
    # Clips of a training are read by other processes.
    assert b"open_backend" in pickle.dumps(best)


def test_every_mark_that_ends_a_sentence_does() -> None:
    text = "ሰላም ነው። ማን መጣ፧ አበበ መጣ፡፡ ሄደ፨ 3፡15 ሰዓት ነው።"
    assert split_sentences(text, "am") == [
        "ሰላም ነው።", "ማን መጣ፧", "አበበ መጣ፡፡", "ሄደ፨", "3፡15 ሰዓት ነው።"
    ]  # fmt: skip
