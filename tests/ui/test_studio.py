"""The page as a whole: what it shows and how its parts answer, on fakes."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

from fastapi.testclient import TestClient

from modules.core_components.values import Scores
from modules.tools.models.library import access_token
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import speak
from modules.ui.server import create_app
from modules.ui.studio import VIEWS, build_studio
from modules.ui.widgets.parts import GO, TEXT
from modules.ui.widgets.take_panel import again_note, scores_html
from tests.helpers.fakes import SINE, add_noise
from tests.ui.page_client import HERE, call, fire, open_page


def test_the_page_has_its_tabs_and_nothing_public_but_its_endpoints(services: Services) -> None:
    config = build_studio(services).config
    tabs = [c["props"] for c in config["components"] if c["type"] == "tabitem"]
    names = {view.id for view in VIEWS}
    assert [tab["id"] for tab in tabs if tab.get("id") in names] == [
        "voice-clone",
        "voice-presets",
        "conversation",
        "voices",
        "voice-design",
        "transcribe",
        "dataset",
        "train-xtts",
        "activity",
        "history",
        "models",
        "settings",
    ]
    # The navigation presses these buttons of Gradio.
    assert {tab["elem_id"] for tab in tabs if tab.get("id") in names} == {
        f"view-{name}" for name in names
    }
    public = {d["api_name"] for d in config["dependencies"] if d["api_visibility"] == "public"}
    assert public == {
        "list_models",
        "list_voices",
        "list_samples",
        "add_sample",
        "clone_voice",
        "get_take",
        "transcribe_recording",
        "get_transcript",
        "make_dataset",
        "job_status",
        "cancel_job",
    }


def test_each_view_has_an_address(services: Services) -> None:
    with TestClient(create_app(services), base_url=HERE) as client:
        page = client.get("/").text
        for view in VIEWS:
            answer = client.get(f"/{view.id}", follow_redirects=False)
            assert (answer.status_code, answer.headers["location"]) == (307, f"/#/{view.id}")
            assert f'href=\\"#/{view.id}\\"' in page


def test_what_needs_a_tabs_first_answer_cannot_be_used_before(services: Services) -> None:
    config = build_studio(services).config
    unlocked = {
        number
        for event in config["dependencies"]
        if "studioAnswered" in (event["js"] or "")
        for number in event["outputs"]
    }
    locked = [c for c in config["components"] if c["id"] in unlocked]
    assert not any(component["props"]["interactive"] for component in locked)
    assert [c["props"]["value"] for c in locked if c["type"] == "button"] == [
        "Generate",
        "Generate",
        "Design",
        "Transcribe",
        "Add to dataset",
        "Run preflight",
        "Save",
    ]


def test_a_view_waits_for_the_first_answer_to_whatever_it_asks(services: Services) -> None:
    """An answer that comes late would take the place of what was chosen meanwhile."""
    events = build_studio(services).config["dependencies"]
    asking = {e["id"]: e for e in events if "studioAsked" in (e["js"] or "")}
    views = {part for e in asking.values() for part in re.findall(r"Asked\?\.\((.*?)\)", e["js"])}
    assert views == {"''", *(f'"{view.id}"' for view in VIEWS)}
    answered = [e["trigger_after"] for e in events if "studioAnswered" in (e["js"] or "")]
    assert sorted(answered) == sorted([*asking, *asking]), "after a result and after an error"


def test_whatever_follows_an_answer_follows_an_error_too(services: Services) -> None:
    """Gradio's page runs no `.then` listener after an error: what one of them unlocks stays locked
    until the page is reloaded (see `listen_after`)."""
    followers = [d for d in build_studio(services).config["dependencies"] if d["trigger_after"]]
    assert followers
    kinds = {(d["trigger_only_on_success"], d["trigger_only_on_failure"]) for d in followers}
    assert kinds <= {(True, False), (False, True)}
    # A button that a success gives back, a failure gives back.
    gives_back: dict[bool, list[tuple[int, tuple[int, ...], str]]] = {True: [], False: []}
    for follower in followers:
        outputs = tuple(follower["outputs"])
        if "studioAnswered" in (follower["js"] or ""):
            answered = (follower["trigger_after"], outputs, follower["js"])
            gives_back[follower["trigger_only_on_success"]].append(answered)
    assert sorted(gives_back[True]) == sorted(gives_back[False]) != []


def test_no_choice_is_lost_while_the_last_one_is_answered(services: Services) -> None:
    modes: dict[str, set[str]] = {}
    for event in build_studio(services).config["dependencies"]:
        for _, name in event["targets"] if event["backend_fn"] else ():  # the browser is quick
            modes.setdefault(name, set()).add(event["trigger_mode"])
    assert modes["input"] == {"always_last"}
    assert modes["select"] == {"multiple"}
    assert modes["change"] == {"always_last"}
    assert modes["click"] == {"once"}


def test_no_player_or_recorder_offers_to_share(services: Services) -> None:
    """The button works on Hugging Face's own pages only."""
    found = [c for c in build_studio(services).config["components"] if c["type"] == "audio"]
    assert found
    assert all(component["props"]["buttons"] == [] for component in found)


def test_only_what_was_changed_on_the_page_is_saved(services: Services) -> None:
    with TestClient(create_app(services), base_url=HERE) as client:
        config = client.get("/config").json()
        (tab,) = (c for c in config["components"] if c["props"].get("id") == "settings")
        events = config["dependencies"]
        shown = {e["id"] for e in events if [tab["id"], "select"] in e["targets"]}
        (select,) = (e for e in events if e["trigger_after"] in shown and e["backend_fn"])
        (save,) = (e for e in events if e["inputs"] == e["outputs"] == select["outputs"])
        *values, _ = fire(client, select["id"], [None])["output"]["data"]
        labels = [c["props"]["label"] for c in components(config, save["inputs"][:-1])]
        again = fire(client, select["id"], [None])["output"]["data"]
        assert again[:-1] == [{"__type__": "update"}] * len(values)
        services.change_settings({"max_upload_mb": 123})
        values[labels.index("Longest sample")] = 12.5
        assert fire(client, save["id"], [*values, None])["success"]
    saved = json.loads((services.settings.root / "config.json").read_text(encoding="utf-8"))
    assert (saved["max_sample_minutes"], saved["max_upload_mb"]) == (12.5, 123)


def test_an_access_token_goes_in_and_never_comes_back(services: Services) -> None:
    with TestClient(create_app(services), base_url=HERE) as client:
        config = client.get("/config").json()
        boxes = [c for c in config["components"] if c["props"].get("type") == "password"]
        assert not any(box["props"].get("value") for box in boxes)
        (box,) = (b for b in boxes if b["props"]["label"].endswith("of the Hugging Face hub"))
        events = [e for e in config["dependencies"] if e["outputs"] == [box["id"]]]
        save, remove = (
            next(e for e in events if e["inputs"] == given) for given in ([box["id"]], [])
        )
        answer = fire(client, save["id"], ["hf_abcDEF123456"])
        assert answer["output"]["data"] == [""]
        assert access_token(services).read() == "hf_abcDEF123456"
        assert "hf_abcDEF123456" not in client.get("/config").text + client.get("/").text
        assert not fire(client, save["id"], ["no such token"])["success"]
        assert fire(client, remove["id"], [])["success"]
        assert not access_token(services).saved


def components(config: dict[str, Any], numbers: list[int]) -> list[dict[str, Any]]:
    by_number = {component["id"]: component for component in config["components"]}
    return [by_number[number] for number in numbers]


def test_nothing_listens_to_a_text_before_the_page_knows_it(services: Services) -> None:
    """Gradio sends the old value of a text box with "input"; "change" and "blur" have the new."""
    config = build_studio(services).config
    texts = {c["id"] for c in config["components"] if c["type"] == "textbox"}
    late = [
        event["id"]
        for event in config["dependencies"]
        for number, name in event["targets"]
        if name == "input" and number in texts & set(event["inputs"])
    ]
    assert late == []


def test_the_theme_asks_no_other_host_for_anything(services: Services) -> None:
    """The end-to-end tests fail for any request to another host; here what could make one."""
    with TestClient(create_app(services), base_url=HERE) as client:
        html = client.get("/").text
        config = client.get("/config").json()
        theme = client.get("/theme.css").text
    assert config["stylesheets"] == []
    for css in (theme, config["css"]):
        assert not re.search(r"url\([\"']?\s*(https?:)?//", css)
        assert "@import" not in css
    assert "fonts.googleapis" not in html


def test_a_program_can_speak_through_the_endpoints(services: Services) -> None:
    with TestClient(create_app(services), base_url=HERE) as client:
        job = call(client, "clone_voice", ["one two", "high", "preset", SINE, "en-us", 7])
        services.jobs.wait(job["id"], 20.0)
        done = call(client, "job_status", [job["id"]])
    assert done["state"] == "done"
    take = services.takes.get(done["result"]["take"])
    assert (take.text, take.seed, take.voice) == ("one two", 7, "high")


def test_scores_are_explained_and_escaped(services: Services) -> None:
    sample = add_noise(services)
    take = speak(services, SpeechRequest("one two", sample.name, seed=1, score=False))
    heard = Scores(0.80, 0.92, 0.5, "one <b>tree</b>", -20.0, 0.5, 0.1)
    html = scores_html(dataclasses.replace(take, scores=heard))
    assert "0.80" in html
    assert "close: clearly this kind of voice" in html
    assert "1 of 2" in html
    assert "One of 2 words was heard differently." in html
    assert "50%" not in html, "one word changes much of so few"
    assert "one &lt;b&gt;tree&lt;/b&gt;" in html
    unscored = scores_html(take)
    assert "Similarity was not measured." in unscored
    assert "Not measured." in unscored
    assert "Similarity" not in scores_html(dataclasses.replace(take, kind="preset"))


def test_making_again_says_whether_it_is_the_same() -> None:
    assert "Identical" in again_note(True, "")
    assert "torch &lt;2" in again_note(False, "Changed: torch <2")


def test_the_page_opens_in_an_empty_studio(services: Services) -> None:
    with TestClient(create_app(services), base_url=HERE) as client:
        outcomes = open_page(client).values()
    assert len(outcomes) >= len(VIEWS)
    assert [outcome["output"] for outcome in outcomes if not outcome["success"]] == []


def test_each_view_that_generates_has_a_text_and_a_button_for_it(services: Services) -> None:
    """What Ctrl+Enter in the text presses; the end-to-end tests press it."""
    config = build_studio(services).config
    props = {component["id"]: component["props"] for component in config["components"]}

    def marked(node: dict[str, Any]) -> list[str]:
        classes = props.get(node["id"], {}).get("elem_classes") or []
        here = [mark for mark in classes if mark in (TEXT, GO)]
        return sorted(here + [m for child in node.get("children") or () for m in marked(child)])

    def views(node: dict[str, Any]) -> dict[str, list[str]]:
        label = str(props.get(node["id"], {}).get("label"))
        if label in labels and "view-" in str(props[node["id"]].get("elem_id")):
            return {label: marked(node)}
        return {k: v for child in node.get("children") or () for k, v in views(child).items()}

    labels = {"Voice Clone", "Voice Presets", "Conversation", "Voice Design"}
    found = views(config["layout"])
    assert set(found) == labels
    assert {view: marks.count(GO) for view, marks in found.items()} == dict.fromkeys(labels, 1)
    assert all(TEXT in marks for marks in found.values())
