"""A recording by upload or microphone, on every tab that takes one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from modules.core_components.audio.decode import Track, default_track, list_tracks
from modules.core_components.errors import BadInputError
from modules.tools.listening.transcribe import track_label
from modules.ui.events import listen, warn
from modules.ui.widgets.parts import audio_recorder

_DEFAULT = [("Default", "0")]


class RecordingInput:
    """Takes any file: its content decides, and not what the system thinks of its name.

    Of a file with several audio tracks one can be chosen.
    """

    def __init__(self, label: str = "Audio or video") -> None:
        with gr.Tabs():
            with gr.Tab("File"):
                self.file = gr.File(label=label, height=150)
                self.track = gr.Dropdown(
                    label="Audio track", choices=_DEFAULT, value="0", visible=False
                )
            with gr.Tab("Microphone"):
                self.spoken = audio_recorder("Record", ["microphone"])
        # In the order in which `chosen` takes their values and `emptied` gives new ones.
        self.inputs = [self.file, self.spoken, self.track]
        listen(self.file.change, show_tracks, [self.file], [self.track])


def chosen(file: str | None, spoken: str | None, track: str | None) -> tuple[Path, int]:
    """The recording and its audio track (0: the default). Raises BadInputError without one."""
    recording = file or spoken
    if not recording:
        raise BadInputError("There is no recording yet.", "Upload a file or record one.")
    return Path(recording), int(track or 0) if file else 0


def emptied() -> list[Any]:
    """New values for the inputs: nothing."""
    return [None, None, _no_choice()]


def show_tracks(file: str | None) -> Any:
    """An update for the choice of tracks; a file that is no recording is reported at once."""
    if not file:
        return _no_choice()
    try:
        tracks = list_tracks(Path(file))
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
    return f"{track_label(track)}, default" if track.is_default else track_label(track)


def _no_choice() -> Any:
    return gr.update(choices=_DEFAULT, value="0", visible=False)
