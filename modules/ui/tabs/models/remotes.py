"""The other machines that speak and transcribe for this studio: a list with buttons, and a form."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.errors import BadInputError
from modules.core_components.texts import _, mark
from modules.tools.models.remotes import (
    RemoteRequest,
    add_remote,
    list_remotes,
    refresh_remote,
    remove_remote,
)
from modules.tools.services import Services
from modules.ui.events import listen, notify
from modules.ui.render import render
from modules.ui.widgets.parts import button_panel, note

ABOUT = mark(
    "Another Voice Clone Studio, vLLM-Omni, or any server with OpenAI's audio API. Its models are "
    "in every menu then, with its name. What you have them speak or transcribe is sent to that "
    "machine, with some models also the sample; nothing is sent before you do so. Its key is kept "
    "in a file that only you can read, and never shown."
)


class RemotesPanel:
    """Built closed; `follow` says what is drawn anew after a change."""

    def __init__(self, services: Services) -> None:
        self._services = services
        with gr.Accordion(_("Use the models of another machine"), open=False):
            note(_(ABOUT))
            self._list = button_panel(self.html())
            with gr.Row():
                self._name = gr.Textbox(value="", label=_("Name for it"), placeholder="big-pc")
                self._address = gr.Textbox(
                    value="", label=_("Its address"), placeholder="http://192.168.1.20:7860"
                )
            self._key = gr.Textbox(
                value="", label=_("Its key"), type="password", placeholder=_("If it needs one")
            )
            self._add = gr.Button(_("Add this machine"), variant="primary")

    @property
    def output(self) -> Any:
        """What `html` is the value of."""
        return self._list

    def html(self) -> Markup:
        """The machines that were added; none is asked."""
        return render("remotes", remotes=list_remotes(self._services))

    def follow(self, show: Any, inputs: list[Any], outputs: list[Any], sequence: str) -> None:
        """Draws `outputs` with `show(*inputs)` after a change."""
        form = [self._name, self._address, self._key]

        def add(name: str, address: str, key: str, *asked: Any) -> list[Any]:
            known = add_remote(self._services, RemoteRequest(name, address), key.strip())
            notify(_("{name} is added.", name=known.name), known.note)
            return ["", "", "", *show(*asked)]

        def press(pressed: gr.EventData, *asked: Any) -> list[Any]:
            purpose, _unused, name = str(pressed.id).partition(":")
            if purpose == "ask":
                known = refresh_remote(self._services, name)
                count = len(known.speaking) + len(known.listening)
                notify(
                    _("{name} answers.", name=name),
                    _(
                        "It has {count} models and {voices} voices.",
                        count=count,
                        voices=known.voices,
                    ),
                )
            elif purpose == "remove":
                remove_remote(self._services, name)
                notify(_("{name} is removed.", name=name))
            else:
                raise BadInputError(_("There is no such button."))
            return list(show(*asked))

        listen(self._add.click, add, [*form, *inputs], [*form, *outputs], sequence=sequence)
        listen(self._list.select, press, inputs, outputs, sequence=sequence)
