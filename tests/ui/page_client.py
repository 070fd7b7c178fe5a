"""The page over HTTP, as its own script uses it: events are fired, their answers applied."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fastapi.testclient import TestClient

from modules.tools.services import Services
from modules.ui.server import create_app

HERE = "http://127.0.0.1:7860"
# What `option_form.js` draws.
FORM = re.compile(r"const fields = (.*);")
# A button of our own that is no longer disabled, and a question that is not asked yet.
OWN_BUTTON = re.compile(
    r'<button [^>]*class="studio-button[^"]*" (?:data-id="([^"]+)"|data-\w+)>([^<]*)</button>'
)
HIDDEN = re.compile(r'<div class="studio-question" hidden>.*', re.DOTALL)


def fire(
    client: TestClient,
    event_id: int,
    data: list[Any],
    session: str = "test",
    event_data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Runs an event through the queue; returns its last message, with `success` and `output`."""
    body = {
        "data": data,
        "fn_index": event_id,
        "session_hash": session,
        "event_data": event_data,
    }
    assert client.post("/gradio_api/queue/join", json=body).status_code == 200
    with client.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as stream:
        for line in stream.iter_lines():
            message = json.loads(line.removeprefix("data: ")) if line else {}
            if message.get("msg") == "process_completed":
                return dict(message)
    raise AssertionError("the queue ended without an answer")


def open_page(client: TestClient) -> dict[int, dict[str, Any]]:
    """Fires what the page fires when it is opened and each tab is chosen; the outcomes by event."""
    config = client.get("/config").json()
    tabs = {item["id"] for item in config["components"] if item["type"] == "tabitem"}
    values = {item["id"]: item["props"].get("value") for item in config["components"]}
    # What the browser does first, without the server: it gives back what was typed.
    loaded = {event["id"] for event in config["dependencies"] if is_loading(event)}
    loaded |= {
        event["id"]
        for event in config["dependencies"]
        if not event["backend_fn"]
        and any(name == "select" and number in tabs for number, name in event["targets"])
    }
    return {
        event["id"]: fire(client, event["id"], [values[number] for number in event["inputs"]])
        for event in config["dependencies"]
        if event["backend_fn"]
        and not event["types"]["generator"]  # it never ends
        and (
            event["id"] in loaded
            or event["trigger_after"] in loaded
            or any(name == "select" and number in tabs for number, name in event["targets"])
        )
    }


def is_loading(event: dict[str, Any]) -> bool:
    return any(name == "load" for _, name in event["targets"])


def call(client: TestClient, name: str, data: list[Any]) -> dict[str, Any]:
    """Calls a public endpoint; returns what it answers."""
    config = client.get("/config").json()
    (event,) = (d for d in config["dependencies"] if d["api_name"] == name)
    outcome = fire(client, event["id"], data)
    assert outcome["success"], outcome
    answer: dict[str, Any] = outcome["output"]["data"][0]
    return answer


class Page:
    """One tab of the page, used by its labels.

    Events run one after the other, with those that follow from them: listeners chained with `then`
    and `success`, and changes of values. `errors` are the messages that the page would show,
    `fired` counts the events that the server was asked for.
    """

    def __init__(self, client: TestClient, tab: str, page_id: str = "") -> None:
        self._client = client
        self._page_id = page_id or uuid.uuid4().hex
        self._session = uuid.uuid4().hex
        config = client.get("/config").json()
        self._events = config["dependencies"]
        self._props = {c["id"]: {**c["props"], "kind": c["type"]} for c in config["components"]}
        for props in self._props.values():
            if props.get("elem_id") == "studio-from-browser":  # what the browser sends
                props["value"] = self._page_id
        self._parents: dict[int, int] = {}
        self._note_parents(config["layout"])
        self.errors: list[str] = []
        self.fired = 0
        self._asking: int | None = None  # the panel whose question was opened last
        (self._tab,) = (
            number
            for number, props in self._props.items()
            if props["kind"] == "tabitem" and props.get("label") == tab
        )
        self.open_tab()

    def reload(self) -> None:
        """What is fired when the page is opened: everything but the stream that never ends; then
        the view is shown."""
        for event in self._events:
            if is_loading(event):
                self._run(event)
        self.open_tab()

    def close(self) -> None:
        """What the server does when the connection of a page has ended."""
        (event,) = (e for e in self._events if any(name == "unload" for _, name in e["targets"]))
        fire(self._client, event["id"], [], self._session)

    def open_tab(self) -> None:
        self._trigger(self._tab, "select")

    def click(self, label: str) -> None:
        """Presses a button, be it Gradio's or one in our own HTML."""
        own = [
            (number, key)
            for number in self._visible("html")
            for key, text in OWN_BUTTON.findall(self._value(number))
            if text == label
        ]
        pressed = [(number, key) for number, key in own if key]
        if pressed:
            # Several questions can be answered with one word.
            number, key = next((one for one in pressed if one[0] == self._asking), pressed[0])
            self._trigger(number, "select", {"id": key})
        elif own:
            self._asking = own[0][0]
        else:
            self._trigger(self._find("button", label, "value"), "click")

    def is_disabled(self, label: str) -> bool:
        """Whether a button of Gradio's cannot be pressed now."""
        return self._props[self._find("button", label, "value")].get("interactive") is False

    def expand(self, label: str) -> None:
        """Opens an accordion."""
        self._trigger(self._find("accordion", label, "label"), "expand")

    def fill(self, label: str, value: Any) -> None:
        """Types or chooses a value, as a user does."""
        option = self._option(label)
        if option:
            number, kind, field = option
            form = self._props[number]["value"] or {}
            value = {**form, kind: {**form.get(kind, {}), field["name"]: value}}
        else:
            number = self._find(None, label, "label")
        self._props[number]["value"] = value
        for event in ("input", "change", "blur"):
            self._trigger(number, event)

    def upload(self, label: str, name: str, content: bytes) -> None:
        """Drops a file into an upload area."""
        self.upload_all(label, [(name, content)])

    def upload_all(self, label: str, files: Sequence[tuple[str, bytes]]) -> None:
        """Drops files into an upload area together."""
        answer = self._client.post("/gradio_api/upload", files=[("files", one) for one in files])
        uploaded = [
            {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
            for path, (name, _) in zip(answer.json(), files, strict=True)
        ]
        props = self._props[self._find(None, label, "label")]
        takes_several = props.get("file_count") == "multiple"
        self.fill(label, uploaded if takes_several else uploaded[0])
        self._trigger(self._find(None, label, "label"), "upload")

    def choose_row(self, key: str) -> None:
        """Chooses the row with this id in the list that has it."""
        (number,) = (n for n in self._visible("html") if f'data-id="{key}"' in self._value(n))
        self._trigger(number, "select", {"id": key})

    def send(self, shown: str, data: dict[str, Any]) -> None:
        """Sends what the script of the panel with this text in it would send."""
        (number,) = (n for n in self._visible("html") if shown in self._value(n))
        self._trigger(number, "select", data)

    def tick(self) -> None:
        """Lets every timer of the tab that runs ask once."""
        for number, props in list(self._props.items()):
            if props["kind"] == "timer" and props.get("active") and self._is_inside(number):
                self._trigger(number, "tick")

    def value(self, label: str) -> Any:
        option = self._option(label)
        if option:
            number, kind, field = option
            chosen = (self._props[number]["value"] or {}).get(kind, {})
            return chosen.get(field["name"], field["default"])
        return self._props[self._find(None, label, "label")].get("value")

    def choices(self, label: str) -> list[str]:
        return [text for text, _ in self._props[self._find("dropdown", label, "label")]["choices"]]

    def labels(self, kind: str) -> list[str]:
        """The labels of the components of a kind that can be seen."""
        name = "value" if kind == "button" else "label"
        labels = [str(self._props[number].get(name)) for number in self._visible(kind)]
        if kind == "button":
            shown = HIDDEN.sub("", self.text)
            labels += [label for _, label in OWN_BUTTON.findall(shown)]
        return labels

    @property
    def text(self) -> str:
        """All HTML of the tab that can be seen."""
        return "\n".join(self._value(number) for number in self._visible("html"))

    def _value(self, number: int) -> str:
        value = self._props[number].get("value")
        return value if isinstance(value, str) else ""  # a form's is no text

    def _find(self, kind: str | None, label: str, name: str) -> int:
        found = [n for n in self._visible(kind) if self._props[n].get(name) == label]
        assert found, (
            f"no {label!r} among {[self._props[n].get(name) for n in self._visible(kind)]}"
        )
        return found[0]

    def _option(self, label: str) -> tuple[int, str, dict[str, Any]] | None:
        """The form of options that shows a field with this label, its kind, and the field."""
        for number in self._visible("html"):
            props = self._props[number]
            found = FORM.search(props.get("js_on_load") or "")
            kind = props["label"] if found else ""
            for field in json.loads(found[1]).get(kind, ()) if found else ():
                if field["label"] == label:
                    return number, kind, field
        return None

    def _visible(self, kind: str | None) -> list[int]:
        return [
            number
            for number, props in self._props.items()
            if props["kind"] == (kind or props["kind"])
            and self._is_inside(number)
            and self._is_visible(number)
        ]

    def _is_inside(self, number: int) -> bool:
        parent = self._parents.get(number)
        return parent is not None and (parent == self._tab or self._is_inside(parent))

    def _is_visible(self, number: int) -> bool:
        if number not in self._props:
            return True
        above = self._parents.get(number)
        return self._props[number].get("visible", True) is True and (
            above is None or number == self._tab or self._is_visible(above)
        )

    def _note_parents(self, node: dict[str, Any]) -> None:
        for child in node.get("children") or ():
            self._parents[child["id"]] = node["id"]
            self._note_parents(child)

    def _trigger(self, number: int, event: str, data: dict[str, Any] | None = None) -> None:
        for listener in self._events:
            if [number, event] in listener["targets"]:
                self._run(listener, data)

    def _run(self, event: dict[str, Any], data: dict[str, Any] | None = None) -> None:
        changed: list[int] = []
        succeeded = True
        if event["backend_fn"] and not event["types"]["generator"]:
            values = [self._props[number].get("value") for number in event["inputs"]]
            outcome = fire(self._client, event["id"], values, self._session, data)
            self.fired += 1
            succeeded = bool(outcome["success"])
            if succeeded:
                output = outcome["output"]
                changed = self._apply(event["outputs"], output["data"])
                changed += output.get("changed_state_ids") or []
            else:
                self.errors.append(str(outcome["output"]["error"]))
        for follower in self._events:
            if follower["trigger_after"] == event["id"] and (
                succeeded or not follower["trigger_only_on_success"]
            ):
                self._run(follower)
        for number in changed:
            self._trigger(number, "change")

    def _apply(self, outputs: list[int], values: list[Any]) -> list[int]:
        """Puts the answers into the components; returns those whose value changed."""
        changed = []
        for number, value in zip(outputs, values, strict=True):
            props = self._props[number]
            is_update = isinstance(value, dict) and value.get("__type__") == "update"
            update = value if is_update else {"value": value}
            if props["kind"] != "state" and update.get("value", ...) not in (
                ...,
                props.get("value"),
            ):
                changed.append(number)
            props.update({k: v for k, v in update.items() if k != "__type__"})
        return changed


@contextmanager
def opened(services: Services, tab: str) -> Iterator[Page]:
    """A tab of the page of a studio, just chosen."""
    with TestClient(create_app(services), base_url=HERE) as client:
        yield Page(client, tab)
