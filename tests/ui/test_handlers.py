from __future__ import annotations

import logging

import gradio as gr
import pytest
from gradio.helpers import special_args

from modules.core_components.errors import BadInputError
from modules.ui.events import show_errors


def test_a_studio_error_becomes_message_and_hint_without_live_html() -> None:
    def work(name: str) -> None:
        raise BadInputError(f"There is no {name}.", "Try <b>another</b>.")

    with pytest.raises(gr.Error) as shown:
        show_errors(work)("<img src=x onerror=alert(1)>")
    assert "&lt;img src=x" in shown.value.message
    assert "<img" not in shown.value.message
    assert "<small>Try &lt;b&gt;another&lt;/b&gt;.</small>" in shown.value.message


def test_an_unexpected_error_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    def work() -> None:
        raise RuntimeError("/home/anna/secret")

    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error) as shown:
        show_errors(work)()
    assert "secret" not in shown.value.message
    assert "/home/anna/secret" in caplog.text


def test_gradio_still_sees_what_a_handler_asks_for() -> None:
    def work(value: str, row: gr.EventData) -> str:
        return value

    event = gr.EventData(None, {"id": "x"})
    given, *_ = special_args(show_errors(work), inputs=["a"], event_data=event)
    value, row = given
    assert (value, row.id) == ("a", "x")
