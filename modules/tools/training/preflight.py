"""A request to train, and everything that is checked before a training begins."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.engines.options import parse_options
from modules.core_components.ai_models.engines.xtts.checkpoint import (
    VOCABULARY,
    WEIGHTS,
    read_json,
)
from modules.core_components.ai_models.engines.xtts.packing import float32_bytes
from modules.core_components.ai_models.engines.xtts.preflight import data, machine
from modules.core_components.ai_models.engines.xtts.preflight.data import (
    OK,
    STOP,
    WARN,
    Check,
    ExaminedRows,
    RejectedRow,
    check_language,
    check_metadata,
    check_new_tokens,
    examine_rows,
    load_tokenizer,
    unknown_language,
)
from modules.core_components.ai_models.engines.xtts.preflight.machine import (
    check_fit,
    check_gpu,
    check_main_memory,
)
from modules.core_components.ai_models.engines.xtts.preflight.memory_presets import (
    Gpu,
    chosen_in_words,
    with_memory_preset,
)
from modules.core_components.ai_models.engines.xtts.text_form import (
    front_end_for,
    has_new_tokens,
    read_front_end,
)
from modules.core_components.ai_models.engines.xtts.training.plan import (
    ADAMW_8BIT,
    TrainingPlan,
)
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import (
    TrainingRow,
    row_of,
)
from modules.core_components.ai_models.engines.xtts.vocabulary import extended_vocabulary
from modules.core_components.dataset.recording_languages import (
    language_doubts,
    language_remedy,
    summarize_doubts,
)
from modules.core_components.dataset.values import SAMPLE_RATE_HZ, TRAIN, Dataset
from modules.core_components.errors import StudioError
from modules.core_components.library.names import safe_stem, same_name_key
from modules.core_components.progress import Progress, no_progress
from modules.core_components.text.amharic.front_end import AmharicFrontEnd, PreparedText
from modules.core_components.texts import _, mark
from modules.tools.models.model_names import find_model
from modules.tools.services import Services
from modules.tools.training.base import base_entry, base_folder, is_installed, verified_base
from modules.tools.training.devices import check_processes, gpu_of, training_devices

__all__ = ["OK", "STOP", "WARN", "Check", "Preflight", "RejectedRow", "preflight"]

TRAINING_FILES = "xtts-v2-training"
NAME, CONSENT, BASE = mark("Name"), mark("Consent"), mark("Base model")
DATASET, ROWS, TEXTS = mark("Dataset"), mark("Rows"), mark("Form of the texts")
PRESET, OPTIMIZER = mark("Memory preset"), mark("Optimizer")
_NOTHING = ExaminedRows((), (), 0.0, 0.0, 0)


@dataclass(frozen=True)
class TrainingRequest:
    """A training as a user asks for it.

    `run` is its name, `dataset` that of a dataset, `base_model` the id of an XTTS model, `options`
    are fields of `TrainingPlan`.
    """

    run: str
    dataset: str
    base_model: str = "xtts-v2.0.3"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TextForm:
    """How the texts of a language that the base does not have go to it: by `front_end`, and with a
    vocabulary of its own where that is not empty (the content of a vocab.json). `checks` say so."""

    front_end: AmharicFrontEnd | None = None
    vocabulary: Mapping[str, Any] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True)
class Preflight:
    """The completed request, what was checked, and the rows to train and evaluate on.

    `rows` are left out of the training, each with its reason.
    """

    request: TrainingRequest
    plan: TrainingPlan
    language: str
    checks: tuple[Check, ...]
    rows: tuple[RejectedRow, ...]
    train: tuple[TrainingRow, ...]
    evaluation: tuple[TrainingRow, ...]
    seconds: float
    text_form: TextForm = TextForm()

    @property
    def kept_rows(self) -> int:
        return len(self.train)

    @property
    def eval_rows(self) -> int:
        return len(self.evaluation)

    @property
    def stops(self) -> tuple[Check, ...]:
        """What has to be fixed before a training can begin."""
        return tuple(check for check in self.checks if check.level == STOP)


def preflight(
    services: Services, request: TrainingRequest, progress: Progress = no_progress
) -> Preflight:
    """Completes the request and checks everything; changes nothing.

    All that can be said is said at once: without a base model the rows are checked but for what
    only its vocabulary knows, and disk and memory for a base of the usual size. `dataset` "" is one
    of the things that stop.

    Raises NotFoundError for an unknown dataset or base, BadInputError for an option out of range.
    """
    asked = parse_options(TrainingPlan, request.options)
    devices, gpu = training_devices(services, asked), None
    if devices[0].startswith("cuda"):
        gpu = gpu_of(devices)
    plan = with_memory_preset(asked, gpu)
    dataset = services.datasets.get(request.dataset) if request.dataset else None
    request = replace(request, base_model=find_model(services.tts, request.base_model))
    progress(0.0, _("Checking the base model"))
    base = _check_base(services, request.base_model)
    checks = [check_name(services, request.run), *base]
    rejected: list[RejectedRow] = []
    train = evaluation = _NOTHING
    form = TextForm()
    base_is_usable = all(check.level != STOP for check in base)
    if dataset is None:
        checks.append(
            Check(DATASET, STOP, _("No dataset is chosen."), _("Make one on the Dataset tab."))
        )
    else:
        checks.insert(1, _check_consent(dataset))
        try:
            progress(0.2, _("Reading every row"))
            folder = base_folder(services, request.base_model)
            vocabulary = folder / VOCABULARY if base_is_usable else None
            if vocabulary is None and not front_end_for(dataset.language, plan.new_language):
                _check_catalog_language(services, request.base_model, dataset.language)
            form = _text_form(dataset, plan, vocabulary)
            train, evaluation = _examine(dataset, vocabulary, form, plan.max_clip_s)
        except StudioError as error:
            checks.append(Check(ROWS, STOP, error.message, error.hint))
        else:
            rejected = [*train.rejected, *evaluation.rejected]
            devices = training_devices(services, plan, len(train.kept))
            # Of several processes a single clip that is left over goes to another batch.
            plan = with_memory_preset(asked, gpu, len(train.kept) if len(devices) == 1 else 0)
            checks += form.checks
            checks += _row_checks(dataset, plan, len(devices), train, evaluation, rejected)
    progress(0.9, _("Checking disk and memory"))
    clip_s = max(train.longest_s, evaluation.longest_s) or plan.max_clip_s
    checks += _choice_checks(asked, plan, devices, gpu)
    checks += _machine_checks(services, request.base_model, plan, len(devices), clip_s, gpu)
    return Preflight(
        request,
        plan,
        dataset.language if dataset else "",
        tuple(checks),
        tuple(rejected),
        train.kept,
        evaluation.kept,
        train.seconds + evaluation.seconds,
        form,
    )


def check_name(services: Services, run: str) -> Check:
    """Whether a new training can have this name."""
    stem = safe_stem(run, "")
    if not stem:
        hint = _("Type one with a letter in it under “Name of the training”.")
        return Check(NAME, STOP, _("The training has no name."), hint)
    taken = {same_name_key(other.name) for other in services.training_runs.list()}
    if same_name_key(stem) in taken:
        return Check(
            NAME,
            STOP,
            _("There already is a training named {stem!r}.", stem=stem),
            _("Choose another name, resume that one, or delete it."),
        )
    return Check(NAME, OK, _("It will be kept as {stem}.", stem=stem))


def _check_consent(dataset: Dataset) -> Check:
    if dataset.agreed:
        return Check(
            CONSENT, OK, _("The dataset says that {speaker} agreed.", speaker=dataset.speaker)
        )
    return Check(
        CONSENT,
        WARN,
        _("The dataset does not say that {speaker} agreed.", speaker=dataset.speaker),
        _("A voice may only be trained if its owner agreed: ask first."),
    )


def _check_base(services: Services, base_model: str) -> list[Check]:
    """Whether the files are installed, unchanged, and fit each other."""
    files = services.catalog.entry(TRAINING_FILES)
    missing = [] if is_installed(services, base_model) else [base_entry(services, base_model).label]
    missing += [] if is_installed(services, TRAINING_FILES) else [files.label]
    if missing:
        message = _("Not installed: {missing}.", missing=_(" and ").join(missing))
        return [Check(BASE, STOP, message, _("Download them here, or on the Models tab."))]
    try:
        folder = verified_base(services, base_model)
        services.downloader.verify(TRAINING_FILES)
        has_own_letters = has_new_tokens(read_front_end(folder))
    except StudioError as error:
        return [Check(BASE, STOP, error.message, error.hint)]
    label = base_entry(services, base_model).label
    if has_own_letters:
        return [
            Check(
                BASE,
                STOP,
                _("{label} has letters of its own that no training adds to.", label=label),
                _("Begin with XTTS v2.0.3."),
            )
        ]
    here = Check(
        BASE, OK, _("{label} and its training files are installed and unchanged.", label=label)
    )
    return [here, check_fit(folder)]


def _check_catalog_language(services: Services, base_model: str, language: str) -> None:
    """Raises BadInputError for a language that is not among those of the base in the catalog."""
    known = base_entry(services, base_model).languages
    if known and language not in {code.partition("-")[0] for code in known}:
        raise unknown_language(language)


def _text_form(dataset: Dataset, plan: TrainingPlan, vocab_file: Path | None) -> TextForm:
    """Without a vocabulary only the texts are looked at.

    Raises CorruptFileError for one that cannot be extended.
    """
    front_end = front_end_for(dataset.language, plan.new_language)
    if front_end is None:
        return TextForm()
    rows = dataset.rows
    prepared = [front_end.prepare(clip.text) for clip in rows]
    dropped = Counter[str]()
    for one in prepared:
        dropped.update(one.dropped)
    found = PreparedText("", dropped).dropped_in_words
    checks = [Check(TEXTS, OK, front_end.about)]
    if found:
        checks = [
            Check(
                TEXTS,
                WARN,
                _("{about} Not said: {found}.", about=front_end.about, found=found),
                _("Drop them from the texts, or train without them."),
            )
        ]
    if vocab_file is None or not has_new_tokens(front_end):
        return TextForm(front_end, {}, tuple(checks))
    learned_from = [
        one.text for clip, one in zip(rows, prepared, strict=True) if clip.subset == TRAIN
    ]
    vocabulary = extended_vocabulary(read_json(vocab_file), learned_from)
    hours = sum(clip.duration_s for clip in rows) / 3600
    checks.append(check_new_tokens(vocabulary, read_json(vocab_file), hours))
    return TextForm(front_end, vocabulary, tuple(checks))


def _examine(
    dataset: Dataset, vocab_file: Path | None, form: TextForm, max_clip_s: float
) -> tuple[ExaminedRows, ExaminedRows]:
    """The rows of the training and those of the evaluation set."""
    tokenizer = None
    if vocab_file is not None:
        with _vocabulary_file(form, vocab_file) as file:
            tokenizer = load_tokenizer(file, form.front_end)
        check_language(tokenizer, dataset.language)
    rows = [row_of(clip) for clip in dataset.rows]
    train, evaluation = (
        examine_rows(mine, dataset.folder, tokenizer, dataset.language, max_clip_s)
        for mine in (
            [row for row in rows if row.for_training],
            [row for row in rows if not row.for_training],
        )
    )
    return train, evaluation


@contextmanager
def _vocabulary_file(form: TextForm, of_base: Path) -> Iterator[Path]:
    """The vocabulary that the training will have: coqui's tokenizer reads files only."""
    if not form.vocabulary:
        yield of_base
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / VOCABULARY
        file.write_text(json.dumps(form.vocabulary, ensure_ascii=False), encoding="utf-8")
        yield file


def _row_checks(
    dataset: Dataset,
    plan: TrainingPlan,
    processes: int,
    train: ExaminedRows,
    evaluation: ExaminedRows,
    rejected: list[RejectedRow],
) -> list[Check]:
    kept = [*train.kept, *evaluation.kept]
    rows = _check_rows(len(kept), rejected, train.other_rates + evaluation.other_rates)
    if not kept:  # nothing else can be said, and one remedy is all it takes
        return [rows, check_metadata(dataset)]
    amount = data.check_amount(train.seconds + evaluation.seconds)
    texts = [row.text for row in kept]
    checks = [rows, check_metadata(dataset), amount, _check_language(dataset, texts)]
    if amount.level == STOP:  # too few rows for batches and evaluation are the same problem
        return checks
    return [
        *checks,
        data.check_batches(len(train.kept), plan.batch_size, processes),
        data.check_evaluation(len(evaluation.kept), plan.batch_size),
    ]


def _check_language(dataset: Dataset, texts: Sequence[str]) -> Check:
    """By the texts, and by what the recordings sounded like when they were transcribed."""
    language = dataset.language
    recorded = {str(source.made_with.get("language", "")) for source in dataset.sources}
    check = data.check_one_language(language, recorded, texts)
    doubts = language_doubts(dataset)
    if check.level == STOP or not doubts:
        return check
    message, hint = summarize_doubts(doubts, language), language_remedy(doubts, language)
    return replace(check, level=WARN, message=message, hint=hint)


def _check_rows(kept: int, rejected: list[RejectedRow], other_rates: int) -> Check:
    if not kept and not rejected:
        return Check(
            ROWS,
            STOP,
            _("The dataset has no rows at all."),
            _("Add recordings on the Dataset tab."),
        )
    if not kept:
        return Check(
            ROWS,
            STOP,
            _(
                "None of the {count} rows can be trained on; {reasons}.",
                count=len(rejected),
                reasons=_reasons(rejected),
            ),
            _("Fix them on the Dataset tab; the reasons are listed below."),
        )
    if rejected:
        return Check(
            ROWS,
            WARN,
            _(
                "{count} of {kept} rows will be left out; {reasons}.",
                count=len(rejected),
                kept=kept + len(rejected),
                reasons=_reasons(rejected),
            ),
            _("Fix them on the Dataset tab, or train without them."),
        )
    if other_rates:
        return Check(
            ROWS,
            WARN,
            _(
                "{count} clips are not at {rate_hz} Hz and are converted in each epoch.",
                count=other_rates,
                rate_hz=SAMPLE_RATE_HZ,
            ),
            _("Build the dataset again; then training is faster."),
        )
    return Check(ROWS, OK, _("All {kept} rows will be used.", kept=kept))


def _reasons(rejected: Iterable[RejectedRow]) -> str:
    """The most frequent reason, shortened to what many rows share: up to its brackets, which every
    language has at its end."""
    (reason, count), *others = Counter(row.reason.split(" (")[0] for row in rejected).most_common()
    more = _(", and {count} other reasons", count=len(others)) if len(others) > 1 else ""
    return _("{count} because {reason}{more}", count=count, reason=reason, more=more)


def _choice_checks(
    asked: TrainingPlan, plan: TrainingPlan, devices: tuple[str, ...], gpu: Gpu | None
) -> list[Check]:
    """What the memory preset chose, on how many devices it trains, and whether the optimizer can
    be had there."""
    checks = []
    if words := chosen_in_words(asked, plan):
        checks.append(
            Check(
                PRESET, OK, _("auto chose for {devices}: {words}.", devices=devices[0], words=words)
            )
        )
    if len(devices) > 1:
        checks.append(check_processes(plan, devices))
    if plan.optimizer == ADAMW_8BIT and not (gpu and gpu.has_8bit):
        checks.append(
            Check(
                OPTIMIZER,
                STOP,
                _("adamw8bit runs on NVIDIA GPUs with bitsandbytes."),
                _("Choose adamw, or another device."),
            )
        )
    return checks


def _machine_checks(
    services: Services,
    base_model: str,
    plan: TrainingPlan,
    processes: int,
    clip_s: float,
    gpu: Gpu | None,
) -> list[Check]:
    import psutil

    base_bytes = _base_bytes(base_folder(services, base_model) / WEIGHTS)
    needed = machine.run_bytes(base_bytes, plan.keep_checkpoints)
    folder = services.settings.training_folder
    free = psutil.disk_usage(str(_existing(folder))).free
    gpu_bytes = gpu.nbytes if gpu else None
    how = (plan.precision, plan.batch_size, clip_s, base_bytes)
    available = psutil.virtual_memory().available
    return [
        machine.check_disk(free, needed),
        check_main_memory(*how, available, on_gpu=gpu_bytes is not None, processes=processes),
        check_gpu(
            *how,
            gpu_bytes,
            checkpointing=plan.gpt_checkpointing,
            eight_bit=plan.optimizer == ADAMW_8BIT,
        ),
    ]


def _base_bytes(weights: Path) -> int:
    """Of the base in float32; of the usual size where it is not here or cannot be read."""
    try:
        return float32_bytes(weights) if weights.is_file() else machine.FULL_MODEL_BYTES
    except StudioError:  # another check says so
        return weights.stat().st_size


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())
