"""The user's datasets: a folder each, with one record a recording as the only truth.

    <stem>/project.json          name, language, speaker, and whether the speaker agreed
    <stem>/sources/<key>.json    a recording, its clips and what was left out of them
    <stem>/wavs/<clip>.wav
    <stem>/edits/                what was changed by hand, see `dataset_edits.py`
    <stem>/dataset.json, metadata_train.csv, metadata_eval.csv, lang.txt: derived from these

A process that is killed leaves each file old or new, never half, and the derived ones are written
last: at worst they lag behind until `refresh`.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components import atomic
from modules.core_components.dataset.values import (
    EVAL,
    TRAIN,
    Clip,
    Dataset,
    Source,
    clip_from_json,
    clip_to_json,
    dataset_to_json,
    identity_to_json,
    metadata_csv,
    metadata_text,
    source_from_json,
    source_to_json,
)
from modules.core_components.errors import (
    BadInputError,
    CorruptFileError,
    ModelBusyError,
    NotFoundError,
)
from modules.core_components.library.names import display_name, free_stem, safe_stem, same_name_key
from modules.core_components.library.trash import Trash, name_in
from modules.core_components.text.language_codes import language_tag
from modules.core_components.texts import _, mark

if TYPE_CHECKING:
    from filelock import BaseFileLock


ReplaceClips = Callable[[Sequence[Clip]], None]

_CHANGE, _PENDING, _UNDOING = "change.json", "pending", "undoing"


class EditJournal:
    """The edits of a dataset: each is done as a whole, and can be undone. Callers hold the lock.

    An edit is a folder `edits/<number>/` with `change.json` (the clips before and after) and the
    wav files it replaced. It is written as `pending`, carried out, then renamed to its number. Each
    step may be done twice, so one found as `pending` or `undoing` after a crash is done again.
    """

    def __init__(self, dataset_folder: Path) -> None:
        self._wavs = dataset_folder / "wavs"
        self._folder = dataset_folder / "edits"

    def actions(self) -> tuple[str, ...]:
        """What each change was called, the last one first."""
        return tuple(_change_in(folder)["action"] for folder in reversed(self._numbered()))

    def begin(
        self,
        action: str,
        before: Sequence[Clip],
        after: Sequence[Clip],
        sounds: Mapping[str, bytes],
    ) -> None:
        """Writes down what is to happen; `finish` does it. Raises DiskFullError."""
        self._folder.mkdir(exist_ok=True)
        draft = self._folder / f".draft-{secrets.token_hex(8)}"
        try:
            with atomic.full_disk_reported(draft):
                (draft / "new").mkdir(parents=True)
                (draft / "old").mkdir()
            for clip_id, content in sounds.items():
                atomic.write_bytes(draft / "new" / f"{clip_id}.wav", content)
            change = {
                "action": action,
                "before": [clip_to_json(clip) for clip in before],
                "after": [clip_to_json(clip) for clip in after],
            }
            atomic.write_json(draft / _CHANGE, change)
            draft.rename(self._folder / _PENDING)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def finish(self, replace: ReplaceClips) -> None:
        """Carries out what was begun."""
        pending = self._folder / _PENDING
        _swap_in(self._wavs, incoming=pending / "new", outgoing=pending / "old")
        replace([clip_from_json(record) for record in _change_in(pending)["after"]])
        numbered = self._numbered()
        number = int(numbered[-1].name) + 1 if numbered else 1
        pending.rename(self._folder / f"{number:06d}")

    def take_back(self, replace: ReplaceClips) -> None:
        """Takes the last change back."""
        self._numbered()[-1].rename(self._folder / _UNDOING)
        self._finish_undoing(replace)

    def forget(self) -> None:
        """Drops every change; none can be taken back any more."""
        for folder in self._numbered():
            shutil.rmtree(folder, ignore_errors=True)

    def recover(self, replace: ReplaceClips) -> None:
        """Finishes what a process that died had begun."""
        if (self._folder / _UNDOING).is_dir():
            self._finish_undoing(replace)
        if (self._folder / _PENDING).is_dir():
            self.finish(replace)

    def _finish_undoing(self, replace: ReplaceClips) -> None:
        undoing = self._folder / _UNDOING
        _swap_in(self._wavs, incoming=undoing / "old", outgoing=undoing / "new")
        replace([clip_from_json(record) for record in _change_in(undoing)["before"]])
        done = undoing.rename(self._folder / f".undone-{secrets.token_hex(8)}")
        shutil.rmtree(done, ignore_errors=True)

    def _numbered(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(path for path in self._folder.iterdir() if path.name.isdigit())


def _swap_in(wavs: Path, incoming: Path, outgoing: Path) -> None:
    for sound in sorted(incoming.glob("*.wav")):
        place, kept = wavs / sound.name, outgoing / sound.name
        if place.exists() and not kept.exists():
            place.replace(kept)
        sound.replace(place)


def _change_in(folder: Path) -> dict[str, Any]:
    path = folder / _CHANGE
    try:
        change: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorruptFileError(
            _("The record of changes to the dataset cannot be read."),
            _("Remove it from the dataset's folder; this one change can then not be undone."),
            details=f"{path}: {error}",
        ) from error
    return change


_PROJECT = "project.json"
_LOCKS = ".locks"


class DatasetLibrary:
    """The datasets in a folder. Safe from every thread and process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.resolve()
        self.trash = Trash(self.folder, mark("dataset"))
        self._thread_lock = threading.RLock()
        # Records by path, with the size and time of the file they were read from.
        self._read: dict[Path, tuple[tuple[int, int], Source]] = {}

    def list(self) -> tuple[Dataset, ...]:
        """All datasets by name."""
        found = (self._load(folder) for folder in self._folders())
        return tuple(sorted(found, key=lambda dataset: same_name_key(dataset.name)))

    def get(self, name: str) -> Dataset:
        """The dataset as it is on the disk now. Raises NotFoundError, CorruptFileError."""
        return self._load(self._folder_of(name))

    def create(self, name: str, language: str, speaker: str, agreed: bool = False) -> Dataset:
        """An empty dataset. `language` is written as `match_language` takes it, a region is passed
        over; `agreed`: the speaker agreed to being learned from.

        Raises BadInputError for a name that is empty or taken, and for what is no language.
        """
        shown = display_name(name, "")
        if not safe_stem(shown, ""):
            raise BadInputError(
                _("The dataset has no name."), _("Give it one with a letter."), "name"
            )
        code = _language_code(language)
        with self._thread_lock, self._lock(_LOCKS):
            if same_name_key(shown) in (same_name_key(other.name) for other in self.list()):
                raise BadInputError(
                    _("There already is a dataset named {shown!r}.", shown=shown),
                    _("Choose another name."),
                    "name",
                )
            folder = self.folder / free_stem(self.folder, safe_stem(shown, "dataset"))
            with atomic.full_disk_reported(folder):
                (folder / "wavs").mkdir(parents=True)
                (folder / "sources").mkdir()
            created = datetime.now(timezone.utc).isoformat(timespec="seconds")
            said_by = metadata_text(display_name(speaker, shown))
            dataset = Dataset(shown, folder, code, said_by, (), created, agreed)
            atomic.write_json(folder / _PROJECT, identity_to_json(dataset))
            return self._derive(folder)

    def set_language(self, name: str, language: str) -> Dataset:
        """The dataset in another language, written as for `create`; its clips stay as they are.

        Raises NotFoundError, BadInputError for what is no language, ModelBusyError while it is
        being built.
        """
        code = _language_code(language)
        folder = self._folder_of(name)
        with self.building(name), self._changing(folder):
            identity = {**identity_to_json(self._load(folder)), "language": code}
            atomic.write_json(folder / _PROJECT, identity)
            return self._derive(folder)

    def save_source(self, dataset: Dataset, source: Source) -> Dataset:
        """Keeps a recording whose clips already lie in `wavs/`, replaces it if it is there, and
        writes the derived files. Raises DiskFullError."""
        self.add_source(dataset, source)
        return self.refresh(dataset.name)

    def add_source(self, dataset: Dataset, source: Source) -> None:
        """`save_source` without the derived files: who adds many calls `refresh` at the end.

        After a replacement, what was changed by hand before cannot be undone any more. wavs of
        this recording that are none of its clips' are removed.
        """
        with self._changing(dataset.folder) as journal:
            if (dataset.folder / "sources" / f"{source.key}.json").exists():
                journal.forget()  # its entries may name clips that will be others
            self._write_source(dataset.folder, source)
            known = {clip.id for clip in source.clips}
            for wav in (dataset.folder / "wavs").glob(f"{source.key}_*.wav"):
                if wav.stem not in known:
                    wav.unlink()

    def update_clips(
        self,
        dataset_name: str,
        changed: Sequence[Clip],
        action: str,
        sounds: Mapping[str, bytes] | None = None,
    ) -> Dataset:
        """Replaces clips by id, all of them or none; `action` names it in the journal.

        `sounds` are wav files in place of those of the clips with these ids. Raises NotFoundError
        for a clip that is not there, DiskFullError.
        """
        folder = self._folder_of(dataset_name)
        with self._changing(folder) as journal:
            known = {clip.id: clip for clip in self._load(folder).clips}
            for clip in changed:
                if clip.id not in known:
                    raise NotFoundError(
                        _(
                            "The clip is not in the dataset {dataset_name!r} any more.",
                            dataset_name=dataset_name,
                        ),
                        _("Look at the dataset again; its recording may have been cut anew."),
                        details=f"Clip {clip.id!r}.",
                    )
            before = [known[clip.id] for clip in changed]
            journal.begin(action, before, changed, sounds or {})
            journal.finish(lambda clips: self._replace_clips(folder, clips))
            return self._derive(folder)

    def undo(self, dataset_name: str) -> Dataset:
        """Takes the last change by hand back. Raises NotFoundError if there is none."""
        folder = self._folder_of(dataset_name)
        with self._changing(folder) as journal:
            if not journal.actions():
                raise NotFoundError(
                    _(
                        "Nothing was changed by hand in {dataset_name!r}.",
                        dataset_name=dataset_name,
                    ),
                    _("There is nothing to undo."),
                )
            journal.take_back(lambda clips: self._replace_clips(folder, clips))
            return self._derive(folder)

    def actions(self, dataset_name: str) -> tuple[str, ...]:
        """What `undo` would take back, the last one first."""
        return EditJournal(self._folder_of(dataset_name)).actions()

    def refresh(self, dataset_name: str) -> Dataset:
        """Writes the derived files again."""
        folder = self._folder_of(dataset_name)
        with self._changing(folder):
            return self._derive(folder)

    def delete(self, name: str) -> str:
        """Moves a dataset to the trash; returns the id for `restore`. Raises NotFoundError,
        ModelBusyError while it is being built."""
        folder = self._folder_of(name)
        with self.building(name), self._changing(folder):
            return self.trash.add_folder(folder)

    def restore(self, trash_id: str) -> Dataset:
        """Undoes `delete`; numbered if its name was given away since. Raises NotFoundError."""
        place = self.trash.place_of(trash_id)
        with self._thread_lock, self._lock(_LOCKS):
            taken = {same_name_key(other.name) for other in self.list()}
            folder = place.rename(self.folder / free_stem(self.folder, name_in(trash_id)))
            dataset = self._load(folder)
            if same_name_key(dataset.name) in taken:
                identity = {**identity_to_json(dataset), "name": folder.name}
                atomic.write_json(folder / _PROJECT, identity)
            return self._derive(folder)

    @contextlib.contextmanager
    def building(self, name: str) -> Iterator[None]:
        """Reserves adding recordings for the block. Raises ModelBusyError where it is reserved.

        The system frees the lock when its process dies. Clips can be edited meanwhile.
        """
        from filelock import Timeout

        lock = self._lock(f"{self._folder_of(name).name}.building")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise ModelBusyError(
                _("Recordings are being added to {name!r} right now.", name=name),
                _("Wait until that is done, or stop it."),
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _folders(self) -> Iterator[Path]:
        for folder in self.folder.iterdir():
            if not folder.name.startswith(".") and (folder / _PROJECT).is_file():
                yield folder

    def _folder_of(self, name: str) -> Path:
        for folder in self._folders():
            if same_name_key(_identity(folder)["name"]) == same_name_key(name):
                return folder
        raise NotFoundError(
            _("There is no dataset named {name!r}.", name=name), _("List them to see their names.")
        )

    @contextlib.contextmanager
    def _changing(self, folder: Path) -> Iterator[EditJournal]:
        """One change of a dataset at a time; what a killed one had begun is finished first."""
        with self._thread_lock, self._lock(folder.name):
            journal = EditJournal(folder)
            journal.recover(lambda clips: self._replace_clips(folder, clips))
            yield journal

    def _lock(self, name: str) -> BaseFileLock:
        from filelock import FileLock

        # Next to the datasets: a folder that is moved to the trash must not hold an open file.
        locks = self.folder / _LOCKS
        locks.mkdir(exist_ok=True)
        return FileLock(locks / f"{name}.lock")

    def _load(self, folder: Path) -> Dataset:
        sources = [self._source(path) for path in _records(folder)]
        sources.sort(key=lambda source: (source.name, source.key))
        return Dataset(folder=folder, sources=tuple(sources), **_identity(folder))

    def _source(self, path: Path) -> Source:
        status = path.stat()
        stamp = (status.st_size, status.st_mtime_ns)
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            known = (stamp, source_from_json(_read_object(path)))
            self._read[path] = known
        return known[1]

    def _write_source(self, folder: Path, source: Source) -> None:
        text = json.dumps(source_to_json(source), ensure_ascii=False) + "\n"
        content = text.encode("utf-8", errors="backslashreplace")
        atomic.write_bytes(folder / "sources" / f"{source.key}.json", content)

    def _replace_clips(self, folder: Path, clips: Sequence[Clip]) -> None:
        new = {clip.id: clip for clip in clips}
        for source in self._load(folder).sources:
            if not new.keys().isdisjoint(clip.id for clip in source.clips):
                replaced = tuple(new.get(clip.id, clip) for clip in source.clips)
                self._write_source(folder, Source(**{**vars(source), "clips": replaced}))

    def _derive(self, folder: Path) -> Dataset:
        dataset = self._load(folder)
        for subset in (TRAIN, EVAL):
            rows = metadata_csv(clip for clip in dataset.rows if clip.subset == subset)
            _write_if_new(folder / f"metadata_{subset}.csv", rows)
        _write_if_new(folder / "lang.txt", f"{dataset.language}\n")
        described = json.dumps(dataset_to_json(dataset), indent=1, ensure_ascii=False)
        _write_if_new(folder / "dataset.json", f"{described}\n")
        return dataset


def _language_code(language: str) -> str:
    code = language_tag(language).partition("-")[0]
    if not code:
        raise BadInputError(
            _("{language!r} is not a language code.", language=language),
            _("Give one such as en or it."),
            "language",
        )
    return code


def _records(folder: Path) -> Iterator[Path]:
    for path in (folder / "sources").glob("*.json"):
        if not path.name.startswith("."):
            yield path


def _write_if_new(path: Path, text: str) -> None:
    content = text.encode("utf-8", errors="backslashreplace")
    if not path.exists() or path.read_bytes() != content:
        atomic.write_bytes(path, content)


def _identity(folder: Path) -> dict[str, Any]:
    project = _read_object(folder / _PROJECT)
    texts = {key: project.get(key) for key in ("name", "language", "speaker", "created")}
    known = {key: text if isinstance(text, str) else "" for key, text in texts.items()}
    agreed = project.get("agreed") is True
    return {**known, "name": known["name"] or folder.name, "agreed": agreed}


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004 - about file content
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptFileError(
            _("A file of the dataset {name} cannot be read.", name=path.parent.name),
            _("Remove it and add the recording that it belongs to again."),
            details=f"{path}: {error}",
        ) from error
    return content
