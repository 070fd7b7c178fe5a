"""What the process of a training says is in the language of the page."""

from __future__ import annotations

import gettext
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.core_components.ai_models.engines.xtts.training.process import TrainingProcess
from modules.core_components.library.training_events import END, FAILED, read_events
from modules.core_components.library.training_runs import RunFiles
from modules.core_components.texts import (
    ENGLISH,
    LANGUAGE_VARIABLE,
    _,
    use_language,
    use_translations,
)

SOON_S = 120.0


@pytest.fixture(autouse=True)
def _english_after(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(LANGUAGE_VARIABLE, "")  # set first, so that it is undone
    yield
    use_translations(ENGLISH, gettext.NullTranslations())


def test_the_process_says_in_german_why_it_ended(tmp_path: Path) -> None:
    use_language("de")
    files = RunFiles(tmp_path)  # without a plan
    process = TrainingProcess(files)
    assert process.wait(SOON_S) == 1
    process.close()
    (ended,) = read_events(files.progress)
    assert (ended["kind"], ended["outcome"]) == (END, FAILED)
    assert ended["text"] == _("The plan of the training cannot be read.")
