"""The trash on the History tab, used through the page's own events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fastapi.testclient import TestClient

from modules.tools.services import Services
from modules.ui.server import create_app
from tests.helpers.fakes import add_noise
from tests.ui.page_client import HERE, OWN_BUTTON, fire


class TrashOnPage:
    """The panel's components and events, found by their labels."""

    def __init__(self, client: TestClient) -> None:
        self._client = client
        self._config = client.get("/config").json()
        self._props = {item["id"]: item for item in self._config["components"]}
        (self._place,) = self._nodes(self._config["layout"], "Trash")

    def press(self, label: str) -> dict[str, Any]:
        for child in self._all(self._place):
            value = self._props[child["id"]]["props"].get("value")
            if value == label:
                return self._fire(child["id"], "click")
            for key, text in OWN_BUTTON.findall(value if isinstance(value, str) else ""):
                if key and text == label:
                    return self._fire(child["id"], "select", {"id": key})
        raise AssertionError(f"no button {label!r}")

    def select(self, row: str) -> dict[str, Any]:
        listing = next(
            child["id"]
            for child in self._all(self._place)
            if self._props[child["id"]]["type"] == "html"
        )
        return self._fire(listing, "select", {"id": row})

    def _fire(self, component: int, event: str, event_data: Any = None) -> dict[str, Any]:
        (dependency,) = (
            found
            for found in self._config["dependencies"]
            if [component, event] in found["targets"] and found["backend_fn"]
        )
        data = [None] * len(dependency["inputs"])
        return fire(self._client, dependency["id"], data, event_data=event_data)

    def _nodes(self, node: Mapping[str, Any], label: str) -> Iterator[Mapping[str, Any]]:
        for child in self._all(node):
            props = self._props[child["id"]]
            if props["type"] == "accordion" and props["props"]["label"] == label:
                yield child

    def _all(self, node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        for child in node.get("children", ()):
            yield child
            yield from self._all(child)


@pytest.fixture
def panel(services: Services) -> Iterator[TrashOnPage]:
    with TestClient(create_app(services), base_url=HERE) as client:
        yield TrashOnPage(client)


def test_a_deleted_sample_is_selected_and_restored(panel: TrashOnPage, services: Services) -> None:
    add_noise(services, "Anna <b>")
    trash_id = services.samples.delete("Anna <b>")
    selected = panel.select(trash_id)
    assert selected["success"], selected
    table = selected["output"]["data"][0]
    assert "sample" in str(table)
    assert "<b>" not in str(table)
    restored = panel.press("Restore")
    assert restored["success"], restored
    assert [sample.name for sample in services.samples.list()] == ["Anna <b>"]


def test_restoring_nothing_is_refused_and_the_list_goes_on(
    panel: TrashOnPage, services: Services
) -> None:
    refused = panel.press("Restore")
    assert not refused["success"]
    assert "Nothing is selected" in str(refused["output"])
    add_noise(services, "Anna")
    services.samples.delete("Anna")
    emptied = panel.press("Delete")
    assert emptied["success"], emptied
    assert services.samples.trash.entries() == ()
