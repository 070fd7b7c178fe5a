"""Does a metadata file on the disk say what the dataset's own records say?

The studio trains on its records and writes these files for other programs. Who changed one by hand
should hear that, and which lines no program would read as they are meant: coqui's formatter reads
them with Python's csv module, where a `|` cuts a text short, a quotation mark at its start joins
rows, and a line break makes two of one, all without an error.
"""

from __future__ import annotations

from modules.core_components.ai_models.engines.xtts.preflight.checks import OK, WARN, Check
from modules.core_components.dataset.metadata import HEADER, metadata_csv
from modules.core_components.dataset.values import EVAL, TRAIN, Dataset

NAME = "Metadata files"
_COLUMNS = HEADER.count("|") + 1


def check_metadata(dataset: Dataset) -> Check:
    """Whether both files are those that the studio wrote."""
    told = [fault for subset in (TRAIN, EVAL) if (fault := _difference(dataset, subset))]
    if not told:
        return Check(NAME, OK, "They say what the dataset's records say.")
    return Check(
        NAME,
        WARN,
        f"{' '.join(told)} The training follows the dataset's own records.",
        "If the changed file is the right one, import it as a dataset of its own.",
    )


def broken_lines(text: str) -> dict[int, str]:
    """What is wrong with the lines of a metadata file, by their number from 1."""
    header, *lines = text.splitlines() or [""]
    if header != HEADER:
        return {1: f"it does not begin with {HEADER}" if header else "the file is empty"}
    faults = {number: _fault(line.split("|")) for number, line in enumerate(lines, start=2) if line}
    return {number: fault for number, fault in faults.items() if fault}


def _difference(dataset: Dataset, subset: str) -> str:
    file = dataset.folder / f"metadata_{subset}.csv"
    expected = metadata_csv(clip for clip in dataset.rows if clip.subset == subset)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return f"{file.name} cannot be read ({type(error).__name__})."
    if text == expected:
        return ""
    for number, fault in broken_lines(text).items():
        return f"{file.name}, line {number}: {fault}."
    changed = set(text.splitlines()) ^ set(expected.splitlines())
    return f"{file.name} was changed outside the studio ({len(changed)} lines)."


def _fault(cells: list[str]) -> str:
    if len(cells) > _COLUMNS:
        return "its text has a | in it, which ends the text there"
    if len(cells) < _COLUMNS:
        return "it was broken by a line break in its text"
    if any(cell.startswith('"') for cell in cells):
        return "its text begins with a quotation mark, which joins it with the next row"
    return ""
