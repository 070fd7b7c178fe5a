"""The list of voices on the Voice Presets tab."""

from __future__ import annotations

import gradio as gr
import pytest

from modules.tools.services import Services
from modules.tools.voices.preset_voices import PresetVoice
from modules.ui.tabs.voice_presets.voices import VoiceList


def test_the_voice_that_speaks_is_listed_though_another_language_is_shown(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gr.Blocks():
        voices = VoiceList(services)
    offered = (
        PresetVoice("anna", "Anna", "it"),
        PresetVoice("bob", "Bob", "en-us"),
        PresetVoice("carl", "Carl", "en-us"),
    )
    monkeypatch.setattr(voices, "voices", lambda model_id: offered)
    chosen, _, rows = voices.show("any model", "it", "bob")
    assert chosen == "bob"
    assert 'data-id="anna"' in rows
    assert 'data-id="bob"' in rows
    assert 'data-id="carl"' not in rows
