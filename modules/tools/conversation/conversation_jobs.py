"""Conversations as jobs: spoken whole, gone on with, one line made again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.core_components.errors import BadInputError
from modules.core_components.jobs import Job, JobContext
from modules.core_components.jobs.job import ACTIVE
from modules.core_components.library.conversations import Pauses
from modules.core_components.text.script import with_style
from modules.tools.conversation.conversation import (
    ConversationRequest,
    begin_conversation,
    changed_line,
    check_pauses,
    speak_conversation,
    speak_line_again,
)
from modules.tools.conversation.joining import join_conversation
from modules.tools.services import Services

CONVERSE = "converse"
LINE_AGAIN = "line_again"
JOIN = "join_conversation"
KINDS = (CONVERSE, LINE_AGAIN, JOIN)


def register(services: Services) -> None:
    """Tells the runner how to do the kinds of work of this file."""

    def do_converse(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        made = speak_conversation(services, payload["conversation"], job.progress, job.cancel)
        return {"conversation": made.id}

    def do_line(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        made = speak_line_again(
            services,
            payload["conversation"],
            payload["line"],
            payload["text"],
            payload["seed"],
            job.progress,
            job.cancel,
        )
        return {"conversation": made.id, "line": payload["line"]}

    def do_join(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        job.progress(0.0, "Joining the lines")
        return {"conversation": join_conversation(services, payload["conversation"]).id}

    services.jobs.register(CONVERSE, do_converse)
    services.jobs.register(JOIN, do_join)
    services.jobs.register(LINE_AGAIN, do_line)


def submit_conversation(services: Services, request: ConversationRequest) -> Job:
    """Checks the request now and queues it; one that was begun before goes on."""
    return submit_rest(services, begin_conversation(services, request).id)


def submit_rest(services: Services, conversation_id: str) -> Job:
    """Queues the lines of a conversation that are not spoken yet, and the joining."""
    conversation = services.conversations.get(conversation_id)
    running = work_on(services, conversation.id)
    if running is not None and running.kind == CONVERSE:
        return running
    return services.jobs.submit(CONVERSE, conversation.title, {"conversation": conversation.id})


def work_on(services: Services, conversation_id: str) -> Job | None:
    """The job that works on a conversation, or waits to do so."""
    for job in services.jobs.list(states=ACTIVE):
        if job.kind in KINDS and job.payload.get("conversation") == conversation_id:
            return job
    return None


def delete_conversation(services: Services, conversation_id: str) -> str:
    """Moves a conversation to the trash; returns the id to restore it by.

    Raises NotFoundError, BadInputError while it is being worked on.
    """
    if work_on(services, conversation_id) is not None:
        raise BadInputError("This conversation is being spoken.", "Cancel that first.")
    return services.conversations.delete(conversation_id)


def submit_line(
    services: Services, conversation_id: str, line_id: str, text: str | None, seed: int | None
) -> Job:
    """Queues one line anew; the seed is drawn here, so a resumed job repeats."""
    conversation = services.conversations.get(conversation_id)
    if not line_id:
        raise BadInputError("No line is chosen.", "Choose one in the list of lines.")
    line = changed_line(services, conversation, line_id, text, seed)
    payload = {
        "conversation": conversation.id,
        "line": line.id,
        "text": with_style(line.text, line.style),
        "seed": line.seed,
    }
    unit = "Part" if conversation.in_one_go else "Line"
    title = f"{unit} {int(line.id)} again: {', '.join(line.speakers)}"
    return services.jobs.submit(LINE_AGAIN, title, payload)


def submit_joining(services: Services, conversation_id: str, pauses: Pauses) -> Job:
    """Queues joining the lines with other pauses. Raises BadInputError."""
    check_pauses(pauses)
    conversation = services.conversations.put_pauses(conversation_id, pauses)
    payload = {"conversation": conversation.id}
    return services.jobs.submit(JOIN, f"Join {conversation.title}", payload)
