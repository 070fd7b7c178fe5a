"""`read`: how a text will be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from modules.cli.main import app
from modules.tools.services import Services
from tests.cli.conftest import Command
from tests.helpers.fakes import SINE

Words = Callable[..., str]
COST = "Cuesta 5 € y 3 km."


def test_the_spoken_form_is_printed(words: Words, tmp_path: Path) -> None:
    spoken = "Cuesta cinco euros y tres kilómetros.\n"
    path = tmp_path / "text.txt"
    path.write_text(COST, encoding="utf-8")
    assert words("read", COST, "--language", "español") == spoken
    assert words("read", f"@{path}", "--language", "es") == spoken
    assert words("read", "--file", str(path), "--language", "es-MX") == spoken


@pytest.mark.parametrize("given", [(), ("-",)])
def test_a_text_comes_from_standard_input(services: Services, given: tuple[str, ...]) -> None:
    line = ["--data-root", str(services.settings.root), "read", *given, "--language", "es"]
    outcome = CliRunner().invoke(app, line, input=COST.encode())
    assert outcome.output == "Cuesta cinco euros y tres kilómetros.\n"
    outcome = CliRunner().invoke(app, line, input=b"\xff\xfe5")
    assert outcome.exit_code == 1
    assert "not UTF-8" in outcome.output


def test_steps_are_shown_and_left_out(words: Words, command: Command) -> None:
    shown = words("read", COST, "--language", "es", "--steps", "--skip", "units")
    assert shown.startswith("Cuesta cinco euros y tres km.\n\nmoney: ")
    assert "  3 → tres\n" in shown
    found = command("read", COST, "--language", "es", "--skip", "numbers")
    assert (found["language"], found["spoken"]) == ("es", "Cuesta cinco euros y tres kilómetros.")
    money, units = found["changes"]
    assert (money["step"], money["text"]) == ("money", "Cuesta cinco euros y 3 km.")
    assert units["replaced"] == [{"written": "3 km", "spoken": "tres kilómetros"}]


def test_the_language_is_that_of_the_voice_or_the_settings(command: Command) -> None:
    assert command("read", "5 €", "--voice", "high")["language"] == "en-us"
    assert command("read", "5 €")["spoken"] == "five euros"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (("5", "--skip", "nmbers"), "The reading has no step “nmbers”."),
        (("5", "--language", "klingonn"), "There is no language 'klingonn'."),
        (("5", "--engine", SINE, "--language", "de"), "does not speak 'de'"),
        (("5", "--engine", "nonsense-9"), "There is no speaking model"),
        (("5", "--engine", SINE, "--skip", "money"), "trained on text as it is written"),
        (("5", "--voice", "hihg"), "no voice 'hihg'"),
        (("5", "--phonemes"), "does not work with phonemes"),
        (("[pause:x] 5",), "[pause:x] names no time."),
        ((" ",), "There is no text to speak."),
        (("--file", "gone.txt"), "gone.txt cannot be read"),
    ],
)
def test_what_cannot_be_read_is_explained(
    command: Command, given: tuple[str, ...], error: str
) -> None:
    answer = command("read", *given, code=1)
    assert error in answer["error"]
    assert answer["hint"]
