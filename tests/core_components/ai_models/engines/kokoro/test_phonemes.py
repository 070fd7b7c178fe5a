"""Phonemes, by the real misaki and espeak-ng: they are packages and need neither network nor
weights."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.core_components.ai_models.engines.kokoro.reading import phonemes as module
from modules.core_components.ai_models.engines.kokoro.reading.languages import LANGUAGES, Language
from modules.core_components.ai_models.engines.kokoro.reading.phoneme_spans import (
    PhonemeSpan,
)
from modules.core_components.ai_models.engines.kokoro.reading.phonemes import (
    Phonemizer,
    get_phonemizer,
)
from modules.core_components.errors import BadInputError, StudioError
from tests.helpers.tiny_kokoro import SYMBOLS

VOCABULARY = frozenset(SYMBOLS)


@pytest.fixture(scope="module")
def phonemizer() -> Phonemizer:
    return get_phonemizer()


def spoken(phonemizer: Phonemizer, text: str, language: str = "en-us") -> str:
    return " ".join(s.phonemes for s in phonemizer.sentences(text, language, VOCABULARY))


@pytest.mark.parametrize(
    ("language", "text", "phonemes"),
    [
        ("en-us", "Hello world!", "həlˈO wˈɜɹld!"),
        ("en-gb", "Hello world!", "həlˈQ wˈɜːld!"),
        ("es", "¿Cómo estás?", "kˈomo estˈas?"),
        ("fr-fr", "Un bon vin blanc.", "œ̃ bˈɔ̃ vˈɛ̃ blˈɑ̃."),
        ("hi", "मैं ठीक हूँ", "mɛ̃ ʈʰˈiːk hu\u0303"),
        ("it", "Ciao!", "ʧˈao!"),
        ("pt-br", "Olá!", "olˈa!"),
        ("ja", "こんにちは！", "koɲɲiʨiβa!"),
        ("zh", "你好！", "ni↓xau↓!"),
    ],
)
def test_every_language_speaks(
    phonemizer: Phonemizer, language: str, text: str, phonemes: str
) -> None:
    assert spoken(phonemizer, text, language) == phonemes


def test_numbers_and_money_are_read_as_words(phonemizer: Phonemizer) -> None:
    assert spoken(phonemizer, "$4.50") == spoken(phonemizer, "four dollars and fifty cents")
    assert spoken(phonemizer, "1,200") == spoken(phonemizer, "twelve hundred") or spoken(
        phonemizer, "1,200"
    ) == spoken(phonemizer, "one thousand two hundred")


def test_a_word_outside_the_dictionary_is_read_by_espeak(phonemizer: Phonemizer) -> None:
    assert len(spoken(phonemizer, "blorptastic")) > 5


def test_sentences_come_one_by_one_with_their_text(phonemizer: Phonemizer) -> None:
    found = list(phonemizer.sentences("One. Two!\nThree", "en-us", VOCABULARY))
    assert [sentence.text for sentence in found] == ["One.", "Two!", "Three"]


def test_phonemes_between_slashes_are_spoken_as_given(phonemizer: Phonemizer) -> None:
    assert spoken(phonemizer, "[Kokoro](/kˈOkəɹO/) speaks.") == "kˈOkəɹO spˈiks."


@pytest.mark.parametrize(
    ("language", "text", "entries", "phonemes"),
    [
        ("en-us", "GIF, gif, gifts", {"GIF": "/ʤˈɪf/"}, "ʤˈɪf, ʤˈɪf, ɡˈɪfts"),
        ("en-us", "Polish, polish", {"Polish": "/a/", "polish": "/b/"}, "a, b"),
        ("en-us", "Nguyen’s dog", {"Nguyen": "win"}, "wˈɪns dˈɔɡ"),
        ("es", "Xavi jugó", {"xavi": "/ʧˈaβi/"}, "ʧˈaβi xuɣˈo"),
        ("it", "New York. Ciao", {"New York": "/nˈu/"}, "nˈu. ʧˈao"),
        ("ja", "大東京駅", {"東京": "/toːkʲoː/"}, "oː toːkʲoː ekʲi"),
        ("zh", "去重庆吧", {"重庆": "/a/"}, "ʨʰy↘ a pa"),
    ],
)
def test_the_dictionary_goes_first(
    phonemizer: Phonemizer, language: str, text: str, entries: dict[str, str], phonemes: str
) -> None:
    found = phonemizer.sentences(text, language, VOCABULARY, entries)
    assert " ".join(sentence.phonemes for sentence in found) == phonemes


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_given_phonemes_are_spoken_in_every_language(phonemizer: Phonemizer, language: str) -> None:
    assert spoken(phonemizer, "[你好 x. y](/kˈOkəɹO/)!", language) == "kˈOkəɹO!"
    with pytest.raises(BadInputError, match="make no sound"):
        spoken(phonemizer, "[x](//)", language)


def test_a_sign_between_given_phonemes_is_read_by_its_name(phonemizer: Phonemizer) -> None:
    (sentence,) = phonemizer.sentences("[casa](/kˈasa/) + [casa](/kˈasa/)", "es", VOCABULARY)
    assert "mˈas" in sentence.phonemes


def test_half_a_link_is_text(phonemizer: Phonemizer) -> None:
    assert "ˈɛks" in spoken(phonemizer, "[x](/a", "en-us")


def test_phonemes_that_the_model_lacks_are_named(phonemizer: Phonemizer) -> None:
    with pytest.raises(BadInputError, match="no sound for ₤"):
        spoken(phonemizer, "[x](/a₤/)")


@pytest.mark.parametrize(
    ("language", "text", "named"),
    [("en-us", "one ∮ two", "∮"), ("es", "cinco ⊕ tres", "⊕"), ("it", "circa ⋈", "⋈")],
)
def test_meaningful_signs_that_would_be_skipped_are_named(
    phonemizer: Phonemizer, language: str, text: str, named: str
) -> None:
    with pytest.raises(BadInputError, match=f"no phonemes for {named}"):
        spoken(phonemizer, text, language)


def test_the_whole_text_is_checked_at_the_first_step(phonemizer: Phonemizer) -> None:
    sentences = phonemizer.sentences("Fine. " * 50 + "你", "en-us", VOCABULARY)
    with pytest.raises(BadInputError, match="你"):
        next(sentences)


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_decoration_alone_is_nothing_to_speak(phonemizer: Phonemizer, language: str) -> None:
    with pytest.raises(BadInputError, match="nothing to speak"):
        spoken(phonemizer, "| ` …", language)


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_brackets_and_marks_are_no_obstacle(phonemizer: Phonemizer, language: str) -> None:
    text = '# a [b] {c} <d> *e* _f_ `g` | ~ « h » ¿i? ¡j! "k" (l) / m \\ n • o … p — q'
    assert spoken(phonemizer, text, language)


LATIN = "".join(chr(code) for code in range(0xA0, 0x180) if chr(code).isalpha())
ASCII = "".join(chr(code) for code in range(32, 127)) + "\n"


@given(st.sampled_from(sorted(LANGUAGES)), st.text(alphabet=ASCII + LATIN, max_size=80))
@settings(max_examples=150, deadline=None)
def test_latin_text_is_spoken_or_refused_with_a_reason(language: str, text: str) -> None:
    try:
        sentences = list(get_phonemizer().sentences(text, language, VOCABULARY))
    except BadInputError as refused:
        sentences = []
        reason = refused.hint
    else:
        reason = ""
    assert reason or sentences
    assert all(any(map(str.isalpha, sentence.phonemes)) for sentence in sentences)


def test_an_endless_word_is_spoken_to_its_end(phonemizer: Phonemizer) -> None:
    """espeak-ng alone stops after 160 bytes."""
    short = len(spoken(phonemizer, "a" * 100, "es"))
    assert len(spoken(phonemizer, "a" * 3000, "es")) > 25 * short


def test_a_sentence_without_end_is_cut_into_parts(phonemizer: Phonemizer) -> None:
    text = "word, " * 500
    found = list(phonemizer.sentences(text, "en-us", VOCABULARY))
    assert len(list(phonemizer.sentences("一" * 900, "zh", VOCABULARY))) == 3
    assert max(len(sentence.text) for sentence in found) <= 400
    assert "".join(s.text for s in found).replace(" ", "") == text.replace(" ", "")


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        pytest.fail("the phonemizer asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert spoken(Phonemizer(), "Offline.", "en-gb")


def test_one_thread_at_a_time_reaches_espeak(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most = 0, 0
    guard = threading.Lock()

    def build(_language: Language) -> object:
        def speak(text: str, _given: object) -> list[PhonemeSpan]:
            nonlocal inside, most
            with guard:
                inside += 1
                most = max(most, inside)
            threading.Event().wait(0.001)
            with guard:
                inside -= 1
            return [PhonemeSpan(0, len(text), text)]

        return speak

    for reader in ("_english", "_espeak", "_chinese", "_japanese"):
        monkeypatch.setattr(module, reader, build)
    phonemizer = Phonemizer()

    def work(language: str) -> str:
        return spoken(phonemizer, "some words. some more.", language)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, [*LANGUAGES] * 4))
    assert most == 1


def test_g2p_is_built_once_a_language(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def build(language: Language) -> object:
        built.append(language.code)
        return lambda text, _given: [PhonemeSpan(0, len(text), text)]

    monkeypatch.setattr(module, "_espeak", build)
    phonemizer = Phonemizer()
    for _ in range(3):
        spoken(phonemizer, "uno", "es")
        spoken(phonemizer, "uno", "it")
    assert built == ["es", "it"]


def test_a_failed_g2p_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_language: Language) -> object:
        raise OSError("espeak-ng is broken")

    phonemizer = Phonemizer()
    monkeypatch.setattr(module, "_espeak", fail)
    with pytest.raises(StudioError, match="Spanish cannot be loaded"):
        spoken(phonemizer, "uno", "es")
    monkeypatch.undo()
    assert spoken(phonemizer, "uno", "es") == "ˈuno"


@pytest.mark.parametrize(
    ("language", "text", "phonemes"),
    [
        ("zh", "他说：“好，来吧……”", "tʰa→ ʂwo→: “xau↓, lai↗ pa…”"),
        ("zh", "《红楼梦》（上）——好", "“xʊ↗ŋlou↗mə↘ŋ” (ʂa↘ŋ)— xau↓"),
        ("ja", "「はい」、そう；ね：〜", "“hai”, soː; ne:—"),
        ("ja", "コーヒー・ティー", "koːçiː tʲiː"),
        ("hi", "हूँ। का॥", "hu\u0303. kaː."),
    ],
)
def test_every_mark_reaches_the_model(
    phonemizer: Phonemizer, language: str, text: str, phonemes: str
) -> None:
    assert spoken(phonemizer, text, language) == phonemes


def test_sentences_end_without_a_full_stop_or_space(phonemizer: Phonemizer) -> None:
    texts = {
        "ja": ("はい。", "そうですね！", "なぜ？", "「ええ。」", "では"),
        "zh": ("好。", "真的吗？", "是的！", "他说：“走。”", "再见"),
        "hi": ("हाँ।", "क्या?", "नहीं॥", "जी"),
    }
    for language, sentences in texts.items():
        text = ("" if language != "hi" else " ").join(sentences)
        found = phonemizer.sentences(text, language, VOCABULARY)
        assert tuple(sentence.text for sentence in found) == sentences


@pytest.mark.parametrize(
    ("language", "text", "as_in"),
    [
        ("zh", "3.5元", "三点五元"),
        ("zh", "2024年10月1日", "二零二四年十月一日"),
        (
            "zh",
            "１２３个、50%、3:30、1/2、$5",
            "一百二十三个、百分之五十、三点三十分、二分之一、五美元",
        ),
        ("zh", "2个，3-5天，-5℃", "两个，三到五天，负五摄氏度"),
        ("zh", "2024-01-15", "二零二四年一月十五日"),
        ("zh", "007", "零零七"),
        ("ja", "1400万円、3.5、50%", "千四百万円、三点五、五十パーセント"),
        ("ja", "３本、$5、3:30", "三本、五ドル、三時三十分"),
        ("ja", "㍿と㎏ではなくﾃｽﾄ", "株式会社と kg ではなくテスト"),
        ("ja", "すゝめ", "すすめ"),
        ("es", "25,50 o 1.200.000", "25 coma 50 o 1200000"),
        ("fr-fr", "10\u202f000,5", "10000 virgule 5"),
        ("hi", "1,00,000", "100000"),
    ],
)
def test_numbers_are_read_as_words_in_other_languages_too(
    phonemizer: Phonemizer, language: str, text: str, as_in: str
) -> None:
    read, wanted = (spoken(phonemizer, one, language) for one in (text, as_in))
    assert read.replace(" ", "") == wanted.replace(" ", "")


@pytest.mark.parametrize("language", ["ja", "zh"])
def test_latin_words_are_spoken_as_english(phonemizer: Phonemizer, language: str) -> None:
    latin = spoken(phonemizer, "New York")
    assert f" {latin} " in spoken(phonemizer, "大New York大", language)


@pytest.mark.parametrize(("language", "text"), [("ja", "彁"), ("zh", "鿥")])
def test_a_character_without_a_reading_is_named(
    phonemizer: Phonemizer, language: str, text: str
) -> None:
    with pytest.raises(BadInputError, match=text):
        spoken(phonemizer, f"大{text}大", language)
