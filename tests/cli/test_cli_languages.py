"""Languages in the terminal: that of the voice, unless another is given in whatever way."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.core_components.errors import BadInputError
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest, complete_speech
from modules.tools.speaking.voice_lookup import voice_language
from tests.cli.conftest import Command
from tests.helpers.fakes import SINE, SineEngine, add_noise

VOICES = {"ef_dora": "es", "if_sara": "it", "af_heart": "en-us", "zf_xiaobei": "zh", "odd": ""}
SPOKEN = ("en-us", "en-gb", "es", "it", "zh")


@pytest.fixture
def engine(services: Services, monkeypatch: pytest.MonkeyPatch) -> SineEngine:
    """The fake, with voices that are named as Kokoro's are, and with their languages."""
    engine = services.tts.get(SINE)
    monkeypatch.setattr(SineEngine, "languages", SPOKEN)
    monkeypatch.setattr(SineEngine, "voices", lambda self: tuple(VOICES))
    monkeypatch.setattr(
        "modules.tools.speaking.request.parse_options",
        lambda kind, given: kind(**given),
    )
    assert isinstance(engine, SineEngine)
    return engine


def speak(command: Command, folder: Path, *words: str) -> str:
    out = str(folder / "a.wav")
    return str(command("speak", "--text", "Uno dos.", "--out", out, *words)["language"])


@pytest.mark.parametrize(("voice", "language"), VOICES.items())
def test_a_voice_speaks_its_language(
    command: Command, engine: SineEngine, tmp_path: Path, voice: str, language: str
) -> None:
    assert speak(command, tmp_path, "--voice", voice) == (language or "en-us")


@pytest.mark.parametrize(
    ("given", "language"),
    [("it", "it"), ("it-IT", "it"), ("Italian", "it"), ("i", "it"), ("en_GB", "en-gb"), ("", "es")],
)
def test_another_language_is_spoken_if_it_is_given(
    command: Command, engine: SineEngine, tmp_path: Path, given: str, language: str
) -> None:
    assert speak(command, tmp_path, "--voice", "ef_dora", "--language", given) == language


def test_a_language_that_is_not_spoken_is_refused(
    command: Command, engine: SineEngine, tmp_path: Path
) -> None:
    out = str(tmp_path / "a.wav")
    words = ("speak", "--voice", "ef_dora", "--text", "Hallo.", "--out", out)
    for given in ("de", "German", "klingon", "qqq"):
        assert "does not speak" in command(*words, "--language", given, code=1)["error"]


@pytest.mark.parametrize("kind", ["", "preset"])
def test_one_rule_for_voices_mixes_and_samples(
    services: Services, engine: SineEngine, kind: str
) -> None:
    def language(voice: str, kind: str = kind) -> str:
        return complete_speech(services, SpeechRequest("Hola.", voice, kind)).language

    assert language("ef_dora") == "es"
    assert language("af_heart(1)+if_sara(2)") == "it"
    add_noise(services, "Anna")
    assert language("Anna", "sample") == "en-us"
    services.samples.update("Anna", language="es-MX")
    assert language("Anna", "sample") == "es"
    assert voice_language(services, engine, "nobody", "sample") == ""


def test_a_conversation(command: Command, engine: SineEngine, tmp_path: Path) -> None:
    script = tmp_path / "talk.txt"
    script.write_text("Dora: Hola.\nSara: Ciao.\n", encoding="utf-8")
    voices = ("--voice", "Dora=ef_dora", "--voice", "Sara=if_sara")
    words = ("converse", str(script), "--out", str(tmp_path / "a.wav"), *voices)

    def languages(*more: str) -> list[str]:
        cast = command(*words, *more)["conversation"]["cast"]
        return [member["language"] for member in cast]

    assert languages() == ["es", "it"]
    assert languages("--language", "Spanish (Mexico)") == ["es", "es"]
    assert "does not speak" in command(*words, "--language", "klingon", code=1)["error"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("en-US", "en"), ("English", "en"), ("a", "en"), ("pt_BR", "pt"), ("deu", "de"), ("z", "zh")],
)
def test_a_dataset(command: Command, given: str, kept: str) -> None:
    command("dataset", "create", "Anna", "--language", given)
    (dataset,) = command("dataset", "list")["datasets"]
    assert dataset["language"] == kept


@pytest.mark.parametrize("given", ["", "klingonish", "7", "x-foo", "qqq"])
def test_a_dataset_needs_a_language(services: Services, given: str) -> None:
    with pytest.raises(BadInputError, match="is not a language code"):
        services.datasets.create("Anna", given, "")


def test_pronunciations(command: Command, engine: SineEngine, services: Services) -> None:
    for given in ("en", "en-US", "english", "a"):
        answer = command("pronunciations", "add", "Ghent", given, "--language", given)
        assert answer["language"] == "en-us"
    for given in ("en", "American English"):
        found = command("pronunciations", "list", "--language", given)["pronunciations"]
        assert found == {"en-us": {"Ghent": "a"}}
    command("pronunciations", "remove", "Ghent", "--language", "EN_us")
    assert command("pronunciations", "list")["pronunciations"] == {}


@pytest.mark.parametrize(
    ("given", "heard"), [("en-US", "en"), ("english", "en"), ("a", "en"), ("it_IT", "it"), ("", "")]
)
def test_a_recording(
    command: Command,
    services: Services,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: str,
    heard: str,
) -> None:
    from modules.tools.listening import transcribe

    sample = add_noise(services)
    asked: list[str] = []
    whole = transcribe.transcribe_file
    monkeypatch.setattr(
        transcribe,
        "transcribe_file",
        lambda services, request, *more: (
            asked.append(request.language) or whole(services, request, *more)
        ),
    )
    command("transcribe", str(sample.path), "--language", given)
    assert asked == [heard]
