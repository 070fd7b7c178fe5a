"""The report of a dataset as a table that spreadsheets open."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from modules.cli.main import app
from modules.core_components.errors import BadInputError
from modules.tools.dataset.report import report_of
from modules.tools.dataset.report_table import report_table, write_report
from modules.tools.services import Services
from tests.helpers.xtts_studio import add_dataset

EVIL = '=HYPERLINK("http://example.org","x")'


@pytest.fixture
def table(services: Services) -> pd.DataFrame:
    add_dataset(services, clips=4, clip_s=2.0, evaluated=1)
    clips = services.datasets.get("Anna").clips
    changed = [replace(clips[0], text=EVIL), replace(clips[1], text="Naïve \x07text, “quoted”.")]
    services.datasets.update_clips("Anna", changed, "said")
    return report_table(services.datasets.get("Anna"), report_of(services, "Anna"))


def test_a_row_for_each_clip_worst_first(table: pd.DataFrame) -> None:
    assert sorted(table["clip"]) == [f"aa_{n:04d}" for n in range(4)]
    assert (table["duration_s"] == 2.0).all()
    ranks = [("bad", "warn", "note", "").index(worst) for worst in table["worst"]]
    assert ranks == sorted(ranks)
    assert table["findings"].sum() > 0
    assert all(
        bool(text) == (n > 0) for text, n in zip(table["messages"], table["findings"], strict=True)
    )


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_what_is_written_is_read_and_nothing_is_run(
    table: pd.DataFrame, tmp_path: Path, suffix: str
) -> None:
    file = write_report(table, tmp_path / f"report{suffix}")
    read = pd.read_csv(file) if suffix == ".csv" else pd.read_excel(file)
    assert list(read.columns) == list(table.columns)
    texts = dict(zip(read["clip"], read["text"], strict=True))
    assert texts["aa_0000"] == f"'{EVIL}"
    assert texts["aa_0001"] == "Naïve text, “quoted”."
    assert read["loudness_lufs"].tolist() == pytest.approx(table["loudness_lufs"].tolist())


def test_another_ending_is_refused(table: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"cannot be written as \.exe"):
        write_report(table, tmp_path / "report.exe")
    assert list(tmp_path.glob("report*")) == []


def test_the_terminal_writes_it(services: Services, table: pd.DataFrame, tmp_path: Path) -> None:
    line = ["--data-root", str(services.settings.root), "dataset", "report", "Anna", "--json"]
    done = CliRunner().invoke(app, [*line, "--out", str(tmp_path / "out.xlsx")])
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout.splitlines()[-1])["report"]["measures"]) == 4
    assert len(pd.read_excel(tmp_path / "out.xlsx")) == 4
