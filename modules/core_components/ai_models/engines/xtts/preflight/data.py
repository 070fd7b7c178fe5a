"""Checks of a dataset before a training: its rows, metadata files, amount, language and batches.

Each row is examined as the trainer will read it, with the real tokenizer and the header of its
audio. The rules are those of `XTTSDataset.load_item` and `__getitem__` (coqui-tts 0.28), which
silently drop a row that breaks one and train on another instead.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.engines.xtts.text_form import (
    LANGUAGE,
    language_token,
    missing_reader,
)
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import TrainingRow
from modules.core_components.dataset.values import (
    EVAL,
    HEADER,
    LONGEST_SAMPLES,
    MOST_TEXT_TOKENS,
    SAMPLE_RATE_HZ,
    TRAIN,
    Dataset,
    metadata_csv,
)
from modules.core_components.errors import BadInputError, CorruptFileError
from modules.core_components.text.amharic.front_end import AmharicFrontEnd
from modules.core_components.text.languages import foreign_texts, language_name
from modules.core_components.texts import _, mark, ngettext

if TYPE_CHECKING:
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer


logger = logging.getLogger(__name__)

OK, WARN, STOP = "ok", "warn", "stop"


@dataclass(frozen=True)
class Check:
    """The result of one check. `name` is shown by `_`, `level` is "ok", "warn" or
    "stop", `hint` says what to do."""

    name: str
    level: str
    message: str
    hint: str = ""


@dataclass(frozen=True)
class RejectedRow:
    """A row that the trainer would silently drop, and why."""

    clip_id: str
    text: str
    reason: str


# The trainer calls shorter clips useless; the engine itself takes a third of a second.
SHORTEST_TRAINED_S = 0.5
UNKNOWN = "[UNK]"


@dataclass(frozen=True)
class ExaminedRows:
    """`kept` rows can be trained on and last `seconds`; `other_rates` of them are resampled."""

    kept: tuple[TrainingRow, ...]
    rejected: tuple[RejectedRow, ...]
    seconds: float
    longest_s: float
    other_rates: int


def load_tokenizer(vocab_file: Path, front_end: AmharicFrontEnd | None = None) -> VoiceBpeTokenizer:
    """The tokenizer of a base; `front_end` reads Amharic. Raises CorruptFileError for a file that
    is none."""
    from modules.core_components.ai_models.engines.xtts.tokenizer import TrainingTokenizer

    try:
        return TrainingTokenizer(vocab_file, front_end)
    except Exception as error:  # the tokenizers library raises bare Exception
        raise CorruptFileError(
            _("The vocabulary of the base model is damaged."),
            _("Delete the base model on the Models tab and download it again."),
            details=f"{vocab_file}: {error}",
        ) from error


def check_language(tokenizer: VoiceBpeTokenizer, language: str) -> None:
    """Raises BadInputError for a language that this vocabulary or its reader cannot take."""
    front_end = _front_end(tokenizer, language)
    token = f"[{'zh-cn' if language == 'zh' else language}]"
    token = token if front_end is None else language_token(front_end)
    if tokenizer.tokenizer.token_to_id(token) is None:
        raise unknown_language(language)
    try:
        tokenizer.preprocess_text("1", language)
    except ImportError as error:
        raise missing_reader(error) from error
    except (KeyError, NotImplementedError) as error:
        raise BadInputError(
            _("XTTS cannot read texts in this language."),
            _("Choose a dataset in one of the languages of XTTS."),
            details=repr(error),
        ) from error


def unknown_language(language: str) -> BadInputError:
    """The error for a dataset in a language that the base model does not have."""
    return BadInputError(
        _(
            "The base model does not know the language of the dataset, {language}.",
            language=language_name(language),
        ),
        _("Choose XTTS v2.0.3, which has 17 languages, or a dataset in another language."),
    )


def examine_rows(
    rows: Iterable[TrainingRow],
    folder: Path,
    tokenizer: VoiceBpeTokenizer | None,
    language: str,
    max_clip_s: float,
) -> ExaminedRows:
    """Sorts the rows of a dataset in `folder` into those that will be trained on and the others.

    Without a tokenizer, as the base model is missing, a text is only known to be there.
    """
    kept, rejected = [], []
    seconds, longest_s, other_rates = 0.0, 0.0, 0
    most_samples = min(LONGEST_SAMPLES, int(max_clip_s * SAMPLE_RATE_HZ))
    for row in rows:
        reason = text_fault(tokenizer, row.text, language)
        duration_s, rate_hz = 0.0, SAMPLE_RATE_HZ
        if not reason:
            duration_s, rate_hz, reason = _inspect_recording(folder / row.audio_file, most_samples)
        if reason:
            rejected.append(RejectedRow(row.clip_id, row.text, reason))
            continue
        kept.append(row)
        seconds += duration_s
        longest_s = max(longest_s, duration_s)
        other_rates += rate_hz != SAMPLE_RATE_HZ
    return ExaminedRows(tuple(kept), tuple(rejected), seconds, longest_s, other_rates)


def text_fault(tokenizer: VoiceBpeTokenizer | None, text: str, language: str) -> str:
    """Why the trainer would drop a row with this text; "" if it would not."""
    if not text.strip():
        return _("it has no text")
    if tokenizer is None:
        return ""
    front_end = _front_end(tokenizer, language)
    try:
        if front_end is not None:
            front_end.check(text)
        tokens = tokenizer.encode(text, language)
    except BadInputError as error:
        return _("its text is not in Ethiopic script ({reason})", reason=error.message)
    except Exception as error:  # noqa: BLE001 - the trainer drops a row for any of them
        logger.info("%r cannot be read: %r", text, error)
        return _("its text cannot be read in this language")
    if tokenizer.tokenizer.token_to_id(UNKNOWN) in tokens:
        return _(
            "the tokenizer does not know {characters}",
            characters=_unknown_characters(tokenizer, text, language),
        )
    if len(tokens) > MOST_TEXT_TOKENS:
        return _(
            "its text has {count} tokens, more than {most}",
            count=len(tokens),
            most=MOST_TEXT_TOKENS,
        )
    return ""


def _front_end(tokenizer: VoiceBpeTokenizer, language: str) -> AmharicFrontEnd | None:
    return getattr(tokenizer, "front_end", None) if language == LANGUAGE else None


def _unknown_characters(tokenizer: VoiceBpeTokenizer, text: str, language: str) -> str:
    cleaned = tokenizer.preprocess_text(text, language)
    unknown = tokenizer.tokenizer.token_to_id(UNKNOWN)
    odd = [
        character
        for character in dict.fromkeys(cleaned)
        if not character.isspace() and unknown in tokenizer.tokenizer.encode(character).ids
    ]
    return " ".join(odd) or _("a part of its text")


def _inspect_recording(path: Path, most_samples: int) -> tuple[float, int, str]:
    """Length in seconds, rate in Hz, and what is wrong with the recording."""
    import soundfile

    if not path.is_file():
        return 0.0, SAMPLE_RATE_HZ, _("its recording is missing")
    try:
        header: Any = soundfile.info(str(path))
    except (OSError, RuntimeError) as error:
        logger.info("%s cannot be read: %s", path, error)
        return 0.0, SAMPLE_RATE_HZ, _("its recording cannot be read")
    duration_s, rate_hz = header.frames / header.samplerate, int(header.samplerate)
    if duration_s < SHORTEST_TRAINED_S:
        return (
            duration_s,
            rate_hz,
            _("it is shorter than {seconds:g} s", seconds=SHORTEST_TRAINED_S),
        )
    if duration_s * SAMPLE_RATE_HZ > most_samples:
        longest_s = most_samples / SAMPLE_RATE_HZ
        return (
            duration_s,
            rate_hz,
            _(
                "it is longer than {longest_s:.1f} s ({duration_s:.1f} s)",
                longest_s=longest_s,
                duration_s=duration_s,
            ),
        )
    return duration_s, rate_hz, ""


_COLUMNS = HEADER.count("|") + 1


def check_metadata(dataset: Dataset) -> Check:
    """Whether both metadata files are those that the studio wrote.

    The studio trains on its own records and writes these files for other programs, so a change by
    hand has no effect. coqui reads them with Python's csv module, where a `|` cuts a text short, a
    quotation mark at its start joins rows, and a line break splits one, all without an error.
    """
    check = partial(Check, mark("Metadata files"))
    faults = [fault for subset in (TRAIN, EVAL) if (fault := _difference(dataset, subset))]
    if not faults:
        return check(OK, _("They match the dataset's records."))
    return check(
        WARN,
        _("{faults} The training follows the dataset's own records.", faults=" ".join(faults)),
        _("If the changed file is the right one, import it as a dataset of its own."),
    )


def broken_lines(text: str) -> dict[int, str]:
    """What is wrong with the lines of a metadata file, by their number from 1."""
    header, *lines = text.splitlines() or [""]
    if header != HEADER:
        return {
            1: _("it does not begin with {header}", header=HEADER)
            if header
            else _("the file is empty")
        }
    faults = {number: _fault(line.split("|")) for number, line in enumerate(lines, start=2) if line}
    return {number: fault for number, fault in faults.items() if fault}


def _difference(dataset: Dataset, subset: str) -> str:
    file = dataset.folder / f"metadata_{subset}.csv"
    expected = metadata_csv(clip for clip in dataset.rows if clip.subset == subset)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return _("{file} cannot be read ({error}).", file=file.name, error=type(error).__name__)
    if text == expected:
        return ""
    for number, fault in broken_lines(text).items():
        return _("{file}, line {number}: {fault}.", file=file.name, number=number, fault=fault)
    changed = set(text.splitlines()) ^ set(expected.splitlines())
    return _(
        "{name} was changed outside the studio ({count} lines).", name=file.name, count=len(changed)
    )


def _fault(cells: list[str]) -> str:
    if len(cells) > _COLUMNS:
        return _("its text has a | in it, which ends the text there")
    if len(cells) < _COLUMNS:
        return _("it was broken by a line break in its text")
    if any(cell.startswith('"') for cell in cells):
        return _("its text begins with a quotation mark, which joins it with the next row")
    return ""


_LEAST_HOURS_OF_A_LANGUAGE = 10


def check_new_tokens(vocabulary: Mapping[str, Any], base: Mapping[str, Any], hours: float) -> Check:
    """How much an extended vocabulary grew, and whether `hours` of speech can teach its tokens.

    Those who reported success had about a hundred hours from dozens of speakers; ten is the least
    that we would try.
    """
    check = partial(Check, mark("New tokens"))
    new = len(vocabulary["model"]["vocab"]) - len(base["model"]["vocab"])
    longer = len(vocabulary["model"]["merges"]) - len(base["model"]["merges"])
    found = _(
        "The vocabulary grows by {new} tokens, {longer} of them of several signs.",
        new=new,
        longer=longer,
    )
    if hours >= _LEAST_HOURS_OF_A_LANGUAGE:
        return check(OK, found)
    return check(
        WARN,
        _(
            "{found} {hours:.1f} hours of speech are too few to learn a language from.",
            found=found,
            hours=hours,
        ),
        _(
            "With less than {hours} hours choose transliteration.",
            hours=_LEAST_HOURS_OF_A_LANGUAGE,
        ),
    )


# With less than two minutes other tools refuse; below ten a fine-tuning mostly overfits.
LEAST_S, FEW_S = 120.0, 600.0
# A quoted title is no second language; this share of the rows is.
_FOREIGN_SHARE, _FOREIGN_ROWS = 0.05, 3


def check_amount(seconds: float) -> Check:
    """`seconds` of the rows that can be trained on and evaluated with."""
    check = partial(Check, mark("Amount of speech"))
    if seconds < LEAST_S:
        return check(
            STOP,
            _(
                "Only {seconds:.0f} s of speech can be used; the least is two minutes.",
                seconds=seconds,
            ),
            _(
                "Add recordings on the Dataset tab. For less, clone the voice from a "
                "sample instead."
            ),
        )
    minutes = _("{seconds:.1f} minutes of speech.", seconds=seconds / 60)
    if seconds < FEW_S:
        return check(WARN, minutes, _("Fifteen minutes or more give a much better voice."))
    return check(OK, minutes)


def check_one_language(language: str, recorded: Collection[str], texts: Sequence[str]) -> Check:
    """`recorded` are the languages of the recordings, `texts` the texts of the rows."""
    check = partial(Check, mark("Language"))
    fault = ""
    others = sorted({code for code in recorded if code and code != language})
    foreign = foreign_texts(texts, language)
    rows = sum(map(len, foreign.values()))
    if others:
        fault = _(
            "recordings in {languages} are among it",
            languages=", ".join(map(language_name, others)),
        )
    elif rows >= max(_FOREIGN_ROWS, _FOREIGN_SHARE * len(texts)):
        code = max(foreign, key=lambda other: len(foreign[other]))
        fault = _(
            "{rows} of {count} rows read like {language}, such as “{text}”",
            rows=rows,
            count=len(texts),
            language=language_name(code),
            text=foreign[code][0][:60],
        )
    if not fault:
        return check(OK, _("All in {language}.", language=language_name(language)))
    return check(
        STOP,
        _(
            "This dataset is in {language}, but {fault}.",
            language=language_name(language),
            fault=fault,
        ),
        _("Drop those clips on the Dataset tab, or make a dataset of its own for each language."),
    )


# A batch of a single clip can mask every target of the loss, which becomes NaN, and one such step
# spoils all weights (coqui-tts 0.28: 2.5 % of the steps with clips of 4 to 6 s). The last batch of
# an epoch is the remainder, so that must not be 1 either.
_SMALLEST, _FEW_EVALUATED, _SIZES_NAMED = 2, 4, 4


def good_batch_sizes(rows: int, near: int, most: int = _SIZES_NAMED) -> tuple[int, ...]:
    """Batch sizes whose every batch has two clips or more, those nearest to `near` first."""
    good = (size for size in range(_SMALLEST, rows + 1) if rows % size != 1)
    return tuple(sorted(good, key=lambda size: (abs(size - near), size))[:most])


def check_batches(rows: int, batch_size: int, processes: int = 1) -> Check:
    """Whether `rows` training rows can be cut into batches of two or more, for each process."""
    check = partial(Check, mark("Batches"))
    if rows < _SMALLEST:
        return check(
            STOP,
            ngettext(
                "There is {count} row to train on.", "There are {count} rows to train on.", rows
            ),
            _("Add recordings on the Dataset tab."),
        )
    if processes > 1:
        return _check_shared_batches(rows, batch_size, processes)
    good = sorted(good_batch_sizes(rows, batch_size))
    remedy = _("These batch sizes do: {sizes}.", sizes=", ".join(map(str, good)))
    if batch_size < _SMALLEST:
        return check(STOP, _("A batch of a single clip makes the loss NaN."), remedy)
    if batch_size > rows:
        return check(
            STOP,
            _(
                "A batch of {batch_size} is more than all {rows} rows.",
                batch_size=batch_size,
                rows=rows,
            ),
            remedy,
        )
    if batch_size == _SMALLEST and rows % batch_size == 1:
        steps = rows // batch_size
        return check(
            OK,
            _(
                "{rows} rows make {steps} steps an epoch and leave one clip out, another "
                "one each time.",
                rows=rows,
                steps=steps,
            ),
        )
    if rows % batch_size == 1:
        return check(
            STOP,
            _(
                "{rows} rows in batches of {batch_size} leave a last batch of a single "
                "clip, which makes the loss NaN.",
                rows=rows,
                batch_size=batch_size,
            ),
            remedy,
        )
    return check(
        OK, _("{rows} rows make {steps} steps an epoch.", rows=rows, steps=-(-rows // batch_size))
    )


def _check_shared_batches(rows: int, batch_size: int, processes: int) -> Check:
    check = partial(Check, mark("Batches"))
    together = batch_size * processes
    if together > rows:
        return check(
            STOP,
            _(
                "Batches of {batch_size} in {processes} processes take {together} clips, "
                "more than all {rows} rows.",
                batch_size=batch_size,
                processes=processes,
                together=together,
                rows=rows,
            ),
            _("Take smaller batches or fewer processes."),
        )
    return check(
        OK,
        _(
            "{rows} rows make {batches} batches an epoch, each of {batch_size} clips "
            "in {processes} processes.",
            rows=rows,
            batches=-(-rows // together),
            batch_size=batch_size,
            processes=processes,
        ),
    )


def check_evaluation(rows: int, batch_size: int) -> Check:
    """Evaluation batches shrink to the rows there are, so only none at all stops."""
    check = partial(Check, mark("Evaluation rows"))
    if rows == 0:
        return check(
            STOP,
            _("No row is left to evaluate on, so overfitting could not be noticed."),
            _("Add recordings on the Dataset tab, or fix the rejected rows."),
        )
    if rows < _FEW_EVALUATED:
        return check(
            WARN,
            _("Only {rows} rows to evaluate on: the evaluation loss will vary a lot.", rows=rows),
            _("More recordings give more of them."),
        )
    return check(OK, _("{rows} rows, in batches of {size}.", rows=rows, size=min(rows, batch_size)))
