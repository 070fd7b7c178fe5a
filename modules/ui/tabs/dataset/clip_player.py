"""A clip with its waveform and words: heard, and marked where it is to be cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
import numpy as np

from modules.core_components.audio.files import read_speech
from modules.core_components.dataset.values import Clip
from modules.core_components.values import FloatArray
from modules.ui.handlers import listen

_SCRIPT = Path(__file__).parents[2] / "static" / "js" / "clip_player.js"
_BARS = 240
TELL_PLAYER = """(start, end) => {
  window.dispatchEvent(new CustomEvent('studio-marked', {detail: [start, end]}));
}"""


class ClipPlayer:
    """The player, and the two numbers (seconds) that say what is marked."""

    def __init__(self) -> None:
        # The script draws all of it: what somebody said must never be read as HTML.
        self._stage = gr.HTML(
            value="",
            html_template="",
            js_on_load=_SCRIPT.read_text(encoding="utf-8"),
            apply_default_css=False,
            elem_classes="studio-panel",
        )
        with gr.Row():
            self.start = gr.Number(
                value=0.0, label="From, in s", minimum=0, step=0.01, min_width=90
            )
            self.end = gr.Number(value=0.0, label="To, in s", minimum=0, step=0.01, min_width=90)
            self.trim = gr.Button("Trim to this", size="sm", min_width=110)
        marked = [self.start, self.end]
        listen(self._stage.select, _read_mark, [], marked, queue=False)
        for number in marked:
            listen(number.input, None, marked, [], js=TELL_PLAYER, queue=False)

    @property
    def outputs(self) -> list[Any]:
        """What `show` gives values for."""
        return [self._stage, self.start, self.end]

    def show(self, clip: Clip, wav: Path) -> list[Any]:
        """Puts a clip on stage, all of it marked. Raises BadInputError if it cannot be read."""
        described = {
            # Another address once the sound is another, so that no browser plays the old one.
            "url": f"/gradio_api/file={quote(str(wav))}?v={wav.stat().st_mtime_ns}",
            "seconds": clip.duration_s,
            "peaks": peaks(read_speech(wav).samples),
            "words": [[word.text, word.start_s, word.end_s] for word in clip.words],
        }
        return [json.dumps(described), 0.0, round(clip.duration_s, 2)]


def peaks(samples: FloatArray, bars: int = _BARS) -> list[float]:
    """The largest absolute sample of each of `bars` slices, the loudest being 1."""
    slices = np.array_split(np.abs(samples), bars)
    heights = np.array([piece.max(initial=0.0) for piece in slices])
    loudest = max(float(heights.max(initial=0.0)), 1e-6)
    return [round(float(height) / loudest, 3) for height in heights]


def _read_mark(marked: gr.EventData) -> tuple[float, float]:
    return round(marked.start, 2), round(marked.end, 2)
