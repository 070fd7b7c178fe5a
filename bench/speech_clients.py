"""Clients of the speech API, as locust starts them for `bench/replicas.py`.

    SPEECH_REQUESTS=24 SPEECH_ANSWERS=answers.jsonl locust -f bench/speech_clients.py --headless \
        --users 6 --spawn-rate 6 --host http://127.0.0.1:7860

Each sends requests one after the other until so many are answered; then locust ends. Written are
JSON lines: the id of each request, what became of it, when it began and ended (Unix seconds), the
seconds until its first sound and those of all speech in it. A client that is told 429 or 503 asks
again, as OpenAI's do.

locust patches Python's sockets and threads in its process, so nothing of the studio is imported.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
from locust import HttpUser, constant, task
from locust.exception import StopUser

SENTENCES = (
    "The harbour was quiet before dawn.",
    "A single lamp burned above the house.",
    "Nobody spoke of the storm.",
    "By noon the market was full of voices.",
)
RATE_HZ, PATIENCE_S = 24_000, 120
# What became of a request: 502 is one with an error in words.
WHOLE, FAILED, BROKEN, REFUSED = "whole", "502", "broken off", "refused"

_wanted = int(os.environ.get("SPEECH_REQUESTS", "24"))
_numbers = itertools.count()
_answered = itertools.count(1)


class SpeechClient(HttpUser):
    """One client."""

    wait_time = constant(0)

    @task
    def speak(self) -> None:
        """Sends the next request, and notes its answer; the last one ends the run."""
        number = next(_numbers)
        if number >= _wanted:
            raise StopUser
        about: dict[str, Any] = {"id": uuid4().hex, "asked_again": -1, "begun_s": time.time()}
        until = time.monotonic() + PATIENCE_S
        about["outcome"] = REFUSED
        while about["outcome"] == REFUSED and time.monotonic() < until:
            about["asked_again"] += 1
            about |= self._ask(about["id"], number)
        about["ended_s"] = time.time()
        with Path(os.environ["SPEECH_ANSWERS"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(about) + "\n")
        if next(_answered) == _wanted:
            self.environment.runner.quit()

    def _ask(self, name: str, number: int) -> dict[str, Any]:
        body = {
            "input": SENTENCES[number % len(SENTENCES)],
            "voice": "af_heart",
            "response_format": "pcm",
            "seed": number,
        }
        begun_s, first_s, received = time.monotonic(), 0.0, 0
        with self.client.post(
            "/v1/audio/speech",
            json=body,
            headers={"X-Request-Id": name, "Connection": "close"},
            timeout=PATIENCE_S,
            name="speech",
            stream=True,
            catch_response=True,
        ) as answer:
            if answer.status_code in (429, 503):
                answer.failure(f"{answer.status_code}: asks again")
                time.sleep(min(float(answer.headers.get("retry-after", 1)), 1.0))
                return {"outcome": REFUSED}
            if answer.status_code == 502:
                answer.failure("502")
                return {"outcome": FAILED if _has_words(answer) else "502 without words"}
            if answer.status_code == 0:  # no answer at all
                answer.failure(BROKEN)
                return {"outcome": BROKEN}
            try:
                for piece in answer.iter_content(None):
                    first_s = first_s or time.monotonic() - begun_s
                    received += len(piece)
            except requests.RequestException:
                answer.failure(BROKEN)
                return {"outcome": BROKEN}
            if answer.status_code != 200 or received < RATE_HZ:  # under half a second
                words = f"{answer.status_code} with {received} bytes"
                answer.failure(words)
                return {"outcome": words}
            answer.success()
        return {"outcome": WHOLE, "first_s": first_s, "spoken_s": received / 2 / RATE_HZ}


def _has_words(answer: Any) -> bool:
    try:
        return bool(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return False
