"""A recording by upload or microphone, on every tab that takes one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from modules.core_components.audio.decode import Track, default_track, list_tracks
from modules.core_components.errors import BadInputError
from modules.core_components.texts import _, mark
from modules.tools.listening.transcribe import track_label
from modules.ui.events import listen, warn
from modules.ui.widgets.parts import audio_recorder

_DEFAULT = mark("Default")


class RecordingInput:
    """Takes any file: its content decides, and not what the system thinks of its name.

    Of a file with several audio tracks one can be chosen. With `several` files can be dropped
    together.
    """

    def __init__(self, label: str = "", several: bool = False) -> None:
        with gr.Tabs():
            with gr.Tab(_("File")):
                self.file = gr.File(
                    label=label or _("Audio or video"),
                    height=150,
                    file_count="multiple" if several else "single",
                )
                self.track = gr.Dropdown(
                    label=_("Audio track"), choices=[(_(_DEFAULT), "0")], value="0", visible=False
                )
            with gr.Tab(_("Microphone")):
                self.spoken = audio_recorder(_("Record"), ["microphone"])
        # In the order in which `chosen` takes their values and `emptied` gives new ones.
        self.inputs = [self.file, self.spoken, self.track]
        given = partial(gr.on, [self.file.upload, self.file.clear])
        listen(given, show_tracks, [self.file], [self.track])


def chosen(file: str | None, spoken: str | None, track: str | None) -> tuple[Path, int]:
    """The recording and its audio track (0: the default). Raises BadInputError without one."""
    recordings, number = all_chosen([file] if file else None, spoken, track)
    return recordings[0], number


def all_chosen(
    files: Sequence[str] | None, spoken: str | None, track: str | None
) -> tuple[list[Path], int]:
    """The recordings of an input that takes several, and the audio track of a single file."""
    recordings = list(files or ()) or ([spoken] if spoken else [])
    if not recordings:
        raise BadInputError(
            _("There is no recording yet."), _("Upload a file or record one."), "recording"
        )
    number = int(track or 0) if files and len(files) == 1 else 0
    return [Path(recording) for recording in recordings], number


@contextmanager
def blamed() -> Iterator[None]:
    """Errors about a recording are shown at its field."""
    try:
        yield
    except BadInputError as error:
        about = error.about or "recording"
        raise BadInputError(error.message, error.hint, about, details=error.details) from error


def emptied() -> list[Any]:
    """New values for the inputs: nothing."""
    return [None, None, _no_choice()]


def show_tracks(file: str | Sequence[str] | None) -> Any:
    """An update for the choice of tracks; a file that is no recording is reported at once.

    Of several files each has its default track.
    """
    files = [file] if isinstance(file, str) else list(file or ())
    if len(files) != 1:
        return _no_choice()
    try:
        tracks = list_tracks(Path(files[0]))
    except BadInputError as error:
        warn([f"{error.message} {error.hint}"])
        return _no_choice()
    if len(tracks) < 2:
        return _no_choice()
    return gr.update(
        choices=[(_label(track), str(track.number)) for track in tracks],
        value=str(default_track(tracks).number),
        visible=True,
    )


def _label(track: Track) -> str:
    return (
        _("{track_label}, default", track_label=track_label(track))
        if track.is_default
        else track_label(track)
    )


def _no_choice() -> Any:
    return gr.update(choices=[(_(_DEFAULT), "0")], value="0", visible=False)
