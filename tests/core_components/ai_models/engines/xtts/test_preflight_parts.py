"""The parts of preflight that need no coqui: broken lines, arithmetic, tables."""

from __future__ import annotations

import pytest

from modules.core_components.ai_models.engines.xtts.preflight import data, machine
from modules.core_components.ai_models.engines.xtts.preflight.data import (
    OK,
    STOP,
    WARN,
    broken_lines,
)
from modules.core_components.dataset.values import HEADER
from modules.core_components.text.languages import guess_language

FULL = machine.FULL_MODEL_BYTES


def test_lines_that_the_csv_reader_would_misread_are_told() -> None:
    lines = [
        HEADER,
        "wavs/a.wav|Good morning.|anna",
        "wavs/b.wav|Left | right.|anna",
        "wavs/c.wav|First line",
        "second line|anna",
        'wavs/d.wav|"Quoted, he said.|anna',
    ]
    faults = broken_lines("\n".join(lines))
    assert list(faults) == [3, 4, 5, 6]
    assert "|" in faults[3]
    assert "line break" in faults[4]
    assert "line break" in faults[5]
    assert "quotation mark" in faults[6]


@pytest.mark.parametrize("text", ["", "path|words\nx.wav|Hello.\n"])
def test_a_file_without_the_header_is_told(text: str) -> None:
    assert list(broken_lines(text)) == [1]


def test_a_remainder_of_one_is_refused_with_sizes_that_do() -> None:
    check = data.check_batches(rows=25, batch_size=4)
    assert check.level == STOP
    sizes = data.good_batch_sizes(25, 4)
    assert all(size >= 2 and 25 % size != 1 for size in sizes)
    for size in sizes:
        assert str(size) in check.hint
        assert data.check_batches(25, size).level == OK


@pytest.mark.parametrize(("rows", "batch_size"), [(24, 1), (1, 2), (0, 2), (3, 4)])
def test_batches_that_cannot_be(rows: int, batch_size: int) -> None:
    assert data.check_batches(rows, batch_size).level == STOP


def test_evaluation_needs_rows() -> None:
    assert data.check_evaluation(0, 4).level == STOP
    assert data.check_evaluation(2, 4).level == WARN
    assert data.check_evaluation(4, 8).message == "4 rows, in batches of 4."


def test_forty_seconds_are_too_few_and_five_minutes_few() -> None:
    assert data.check_amount(40.0).level == STOP
    assert data.check_amount(300.0).level == WARN
    assert data.check_amount(1200.0).level == OK


def test_two_languages_are_noticed_by_record_and_by_text() -> None:
    english = ["The weather is fine and they have not been here for a week."] * 30
    assert data.check_one_language("en", ["en"], english).level == OK
    assert data.check_one_language("en", ["en", "it"], english).level == STOP
    italian = ["Questo è il giorno della partenza, ma non sono pronto perché piove."] * 3
    found = data.check_one_language("en", [], english + italian)
    assert found.level == STOP
    assert "3 of 33 rows read like Italian" in found.message


def test_a_quoted_title_is_no_second_language() -> None:
    english = ["They said that this is the one which you would have."] * 40
    title = ["La dolce vita non è questo ma quello che sono."]
    assert data.check_one_language("en", [], english + title).level == OK


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Доброе утро, как дела?", "ru"),
        ("お元気ですか、東京です", "ja"),
        ("今天天气很好", "zh"),
        ("안녕하세요 여러분", "ko"),
        ("Das ist nicht für den Hund und auch nicht für die Katze.", "de"),
        ("Yes.", ""),
        ("", ""),
    ],
)
def test_what_language_a_sentence_seems_to_be_in(text: str, language: str) -> None:
    assert guess_language(text) == language


def test_memory_grows_with_batch_length_and_precision() -> None:
    need = machine.memory_need("fp32", 4, 11.0).gigabytes
    assert 14.0 < need < 15.0  # what users report for this setting
    assert machine.memory_need("bf16", 4, 11.0).gigabytes < need
    assert machine.memory_need("fp32", 2, 11.0).gigabytes < need
    assert machine.memory_need("fp32", 4, 5.0).gigabytes < need


def test_a_gpu_too_small_is_told_the_batch_that_fits() -> None:
    small, large = 12 * 2**30, 24 * 2**30
    assert machine.check_gpu("fp32", 4, 11.0, FULL, large).level == OK
    tight = machine.check_gpu("fp32", 4, 11.0, FULL, small)
    assert tight.level == WARN  # estimated, so it may try
    assert "batches of 2" in tight.hint
    assert "estimate" in tight.message
    assert "bf16" in machine.check_gpu("fp32", 4, 11.0, FULL, 6 * 2**30).hint
    assert machine.check_gpu("fp32", 4, 11.0, FULL, None).level == WARN


def test_three_gigabytes_of_free_disk_stop_every_run() -> None:
    needed = machine.run_bytes(FULL, keep_checkpoints=3)
    assert 18e9 < needed < 25e9  # what today's tools ask for
    assert machine.check_disk(3_000_000_000, needed).level == STOP
    assert machine.check_disk(3_000_000_000, 1_000_000).level == STOP
    assert machine.check_disk(40_000_000_000, needed).level == OK
