"""An answer that was asked for earlier never replaces what was chosen since."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import gradio as gr

from modules.tools.services import Services
from modules.ui.page import create_page

CHOICES = {"select", "input"}
# The first chooses a voice in another view, before that one is shown; the second changes single
# options in the form that a download fills anew; the third is pressed where nothing is installed.
APART = {"voices", "reading", "first-steps"}


def test_the_end_of_a_job_and_the_choices_that_change_the_same_parts_have_one_order(
    services: Services,
) -> None:
    """A job may end just before a choice; its answer, drawn for the choice before, must not come
    last. Gradio keeps the order within one concurrency id only."""
    mounted: Any = create_page(services).routes[-1]
    blocks = mounted.app.get_blocks()
    tabs = {part for part, block in blocks.blocks.items() if isinstance(block, gr.Tab)}
    listeners = [one for one in blocks.fns.values() if one.fn is not None]
    ends = [one for one in listeners if one.name == "with_job" and "change" in _events(one)]
    choices = [
        one
        for one in listeners
        if CHOICES & _events(one, tabs)
        and one.queue
        and one.concurrency_id not in APART
        and one.name != "_press"  # a button of a job, which chooses nothing
    ]
    shared = [(end, choice) for end in ends for choice in choices if _shown(end) & _shown(choice)]
    assert len(shared) > 10
    apart = {
        (choice.name, end.concurrency_id, choice.concurrency_id)
        for end, choice in shared
        if end.concurrency_id != choice.concurrency_id
    }
    assert not apart


def _events(listener: Any, besides: Collection[int] = ()) -> set[str]:
    return {event for part, event in listener.targets if part not in besides}


def _shown(listener: Any) -> set[Any]:
    return {part for part in listener.outputs if type(part).__name__ in ("HTML", "State")}
