"""The report of a dataset as a table, a row for each clip, and as a .csv or .xlsx file."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from modules.core_components.atomic import atomic_path
from modules.core_components.dataset.report import ClipMeasures, DatasetReport, listed_clips
from modules.core_components.dataset.values import Dataset
from modules.core_components.errors import BadInputError
from modules.core_components.texts import _

if TYPE_CHECKING:
    import pandas as pd

CSV, XLSX = ".csv", ".xlsx"
# A spreadsheet runs what begins like this, as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NOT_IN_A_CELL = {code: None for code in range(32) if chr(code) not in "\t\n\r"}


def report_table(dataset: Dataset, report: DatasetReport) -> pd.DataFrame:
    """What each clip is, its figures (see `ClipMeasures`) and what was found; in the order in which
    the page lists them, worst first."""
    import pandas as pd

    figures = [item.name for item in fields(ClipMeasures)[1:]]
    measures = {item.clip_id: item for item in report.measures}
    rows = []
    for clip in listed_clips(dataset, report):
        found = report.findings_of(clip.id)
        own = measures.get(clip.id)
        rows.append(
            {
                "clip": clip.id,
                "subset": f"left out: {clip.dropped}" if clip.dropped else clip.subset,
                "text": clip.text,
                "findings": len(found),
                "worst": found[0].severity if found else "",
                **{name: getattr(own, name, None) for name in figures},
                "messages": " ".join(item.message for item in found),
                "heard": report.heard.get(clip.id, ""),
            }
        )
    return pd.DataFrame(rows)


def write_report(table: pd.DataFrame, target: Path) -> Path:
    """Writes the table, whole or not at all: UTF-8 with its mark, as spreadsheets want it, or a
    workbook. Texts that a spreadsheet would run as a formula get an apostrophe before them.

    Raises BadInputError for another ending, DiskFullError.
    """
    suffix = target.suffix.lower()
    if suffix not in (CSV, XLSX):
        raise BadInputError(
            _("A report cannot be written as {suffix}.", suffix=target.suffix)
            if target.suffix
            else _("A report cannot be written as a file without an ending."),
            _("Give a name that ends in {csv} or {xlsx}.", csv=CSV, xlsx=XLSX),
        )
    safe = table.map(_as_text)
    with atomic_path(target) as partial:
        if suffix == CSV:
            safe.to_csv(partial, index=False, encoding="utf-8-sig")
        else:
            with partial.open("wb") as file:
                safe.to_excel(file, index=False, sheet_name="Clips", engine="openpyxl")
    return target


def _as_text(value: object) -> object:
    if not isinstance(value, str):
        return value
    clean = value.translate(_NOT_IN_A_CELL).encode("utf-8", "replace").decode("utf-8")
    return f"'{clean}" if clean.startswith(_FORMULA) else clean
