"""The page's endpoints as programs use them: with `gradio_client`, over a served page on fakes."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from modules.core_components.ai_models import reset_managers
from modules.core_components.audio.files import read_speech, write_speech
from modules.tools.services import Services
from modules.ui.server import create_app, listening_socket
from tests.helpers.espeak import espeak
from tests.helpers.fakes import ECHO, SINE, fake_studio
from tests.tools.dataset_fakes import COUNTER, add_counter
from tests.ui.page_client import HERE

SENTENCE = "The studio clones a voice from a sample, and then it reads this aloud."


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    services, _ = fake_studio(tmp_path_factory.mktemp("studio"))
    add_counter(services)
    yield services
    services.close()
    reset_managers()


@pytest.fixture(scope="module")
def client(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    listener = listening_socket("127.0.0.1", 0)
    config = uvicorn.Config(create_app(services), log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    client = Client(
        HERE.replace("7860", str(listener.getsockname()[1])),
        verbose=False,
        download_files=tmp_path_factory.mktemp("downloads"),
        httpx_kwargs={"timeout": 60},  # the page is built when it is first asked for
    )
    yield client
    client.close()
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    file = tmp_path / "Anna reads.wav"
    write_speech(file, espeak(SENTENCE))
    return file


def wait_for(services: Services, job: dict[str, Any], client: Client) -> dict[str, Any]:
    services.jobs.wait(job["id"], 30.0)
    done: dict[str, Any] = client.predict(job["id"], api_name="/job_status")
    assert done["state"] == "done", done
    return done["result"]


def test_a_program_goes_from_a_recording_to_a_take_a_transcript_and_a_dataset(
    client: Client, services: Services, recording: Path
) -> None:
    models = {model["id"]: model for model in client.predict(api_name="/list_models")}
    assert models["kokoro-v1.0"]["task"] == "text-to-speech"
    voices = client.predict(api_name="/list_voices")
    assert "high" in [voice["name"] for voice in voices]

    sample = client.predict(
        recording=handle_file(recording),
        speaker="Anna",
        agreed=True,
        language="en",
        api_name="/add_sample",
    )
    assert (sample["name"], sample["speaker"], sample["agreed"]) == ("Anna reads", "Anna", True)
    assert sample["name"] in [known["name"] for known in client.predict(api_name="/list_samples")]

    job = client.predict("one two", "Anna reads", engine=SINE, seed=7, api_name="/clone_voice")
    take = client.predict(wait_for(services, job, client)["take"], api_name="/get_take")
    assert (take["text"], take["voice"], take["seed"]) == ("one two", "Anna reads", 7)
    assert read_speech(Path(take["recording"])).duration_s == pytest.approx(take["duration_s"])

    job = client.predict(handle_file(recording), model=ECHO, api_name="/transcribe_recording")
    kept = wait_for(services, job, client)["transcript"]
    text = client.predict(kept, api_name="/get_transcript")
    assert text.strip()
    assert client.predict(kept, fmt="srt", api_name="/get_transcript").startswith("1\n00:00:00,")

    job = client.predict(
        name="Anna's book",
        recordings=[handle_file(recording)],
        agreed=True,
        model=COUNTER,
        api_name="/make_dataset",
    )
    assert wait_for(services, job, client)["added"] == ["Anna reads.wav"]
    assert services.datasets.get("Anna's book").sources


def test_nothing_is_taken_without_consent(
    client: Client, services: Services, recording: Path
) -> None:
    before = (services.samples.list(), services.datasets.list())
    with pytest.raises(AppError, match="only be cloned when its owner agreed"):
        client.predict(handle_file(recording), api_name="/add_sample")
    with pytest.raises(AppError, match="only be trained on if the speaker agreed"):
        client.predict("Book", [handle_file(recording)], api_name="/make_dataset")
    assert before == (services.samples.list(), services.datasets.list())


@pytest.mark.parametrize("marked", [True, False])
def test_a_path_that_was_typed_is_no_upload(
    client: Client,
    services: Services,
    recording: Path,
    marked: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither as it is nor marked as a file, by which Gradio would know it for one."""
    typed = {"path": str(recording), "orig_name": "x.wav"}
    if marked:
        typed["meta"] = {"_type": "gradio.FileData"}
    before = (services.samples.list(), services.datasets.list(), services.jobs.list())
    for name, given in (
        ("add_sample", [typed, "", "", True, "", ""]),
        ("transcribe_recording", [typed, "", "", ""]),
        ("make_dataset", ["Book", [typed], "", True, "en", "", "", ""]),
    ):
        # As a program sends it that does not upload what is marked.
        (number,) = (e["id"] for e in client.config["dependencies"] if e["api_name"] == name)
        outcome = send(client, number, given)
        assert not outcome["success"], outcome
        said = str(outcome["output"]) + capsys.readouterr().err
        assert ("was not uploaded by a user" if marked else "not an uploaded file") in said
    assert before == (services.samples.list(), services.datasets.list(), services.jobs.list())


def send(client: Client, number: int, data: list[Any]) -> dict[str, Any]:
    """An event's last message."""
    session = uuid.uuid4().hex
    body = {"data": data, "fn_index": number, "session_hash": session}
    with httpx.Client(base_url=f"{client.src}gradio_api/", timeout=30) as program:
        assert program.post("queue/join", json=body).status_code == 200
        with program.stream("GET", "queue/data", params={"session_hash": session}) as answer:
            for line in answer.iter_lines():
                message = json.loads(line.removeprefix("data: ")) if line else {}
                if message.get("msg") == "process_completed":
                    return dict(message)
    raise AssertionError("the queue ended without an answer")


def test_a_job_is_cancelled_and_an_error_is_one_line_of_text(client: Client) -> None:
    with pytest.raises(AppError) as caught:
        client.predict("x", "nobody", api_name="/clone_voice")
    assert "<" not in str(caught.value)
    job = client.predict("one two " * 500, "high", kind="preset", api_name="/clone_voice")
    client.predict(job["id"], api_name="/cancel_job")
    assert client.predict(job["id"], api_name="/job_status")["state"] in ("cancelled", "running")
