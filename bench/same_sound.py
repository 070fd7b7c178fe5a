"""Does a request still make the same sound? Hashes of what a fixed list of requests makes.

`python bench/same_sound.py --out before.json` on one version of the program, then
`python bench/same_sound.py --against before.json` on another one on the same machine: it names what
differs and ends with 1. `--root DIR` takes the program of another checkout. Set OMP_NUM_THREADS=1;
the hashes depend on processor, libraries and number of threads, so a file of them says nothing on
another machine. It needs the starter models (VOICE_STUDIO_MODELS, or base_models/).

Takes are compared by the float32 samples that were made, what the API answers by its bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LONG = (
    "The harbour was quiet before dawn. A single lamp burned above the customs house, and the "
    "fishermen, who had been awake for hours, were already folding their nets.\n\n"
    "By noon the market was full of voices, baskets, dogs and children. Somebody sang.\n\n"
    "At night the wind came back, and with it the rain; 3 boats of 12 were still at sea."
)
SCRIPT = (
    "Anna: Good morning.\nBen: Hello there, Anna! How was the journey?\nAnna: Long, but fine.\n"
)
CAST = {"Anna": "af_heart", "Ben": "bm_lewis"}


@dataclass(frozen=True)
class Spoken:
    """A text for Kokoro v1.0."""

    text: str
    voice: str = "af_heart"
    language: str = "en-us"
    seed: int = 1
    options: dict[str, Any] = field(default_factory=dict)


SPOKEN = {
    "en-us": Spoken("Good morning, how are you today?"),
    "en-us, other seed": Spoken("Good morning, how are you today?", seed=2),
    "en-gb": Spoken("The schedule was torn in half.", "bf_emma", "en-gb"),
    "es": Spoken("Buenos días, ¿cómo está usted?", "ef_dora", "es"),
    "fr-fr": Spoken("Bonjour, il fait beau aujourd'hui.", "ff_siwis", "fr-fr"),
    "hi": Spoken("नमस्ते, आप कैसे हैं?", "hf_alpha", "hi"),
    "it": Spoken("Buongiorno, oggi è il 12 maggio.", "if_sara", "it"),
    "ja": Spoken("おはようございます。今日はいい天気ですね。", "jf_alpha", "ja"),
    "pt-br": Spoken("Bom dia, tudo bem com você?", "pf_dora", "pt-br"),
    "zh": Spoken("你好，今天天气很好。", "zf_xiaobei", "zh"),
    "speed 0.8": Spoken("Slowly, please.", options={"speed": 0.8}),
    "speed 1.5": Spoken("Quickly, please.", options={"speed": 1.5}),
    "mix": Spoken("Two voices in one.", "af_heart(2)+af_sky(1)"),
    "mix with a minus": Spoken("Two voices in one.", "af_heart(2)-af_sky(1)"),
    "numbers": Spoken("On 3 May 2026 Dr. Smith paid $12.50 for 1,200 nails."),
    "pause and speed": Spoken("Wait. [pause:0.7s] Now [speed:1.3] we go on."),
    "phonemes": Spoken("Say [tomato](/təmˈɑːtəʊ/) again."),
    "three passages": Spoken(LONG, "af_bella", seed=11),
}
API = {
    "wav": {"response_format": "wav"},
    "pcm": {"response_format": "pcm", "stream": True},
    "mp3": {"response_format": "mp3", "stream": True},
    "flac, whole": {"response_format": "flac", "stream": False},
}


def sounds(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and SHA-256 of each result, in the data root `folder`."""
    from modules.tools.conversation.cast import CastVoice
    from modules.tools.conversation.conversation import (
        ConversationRequest,
        begin_conversation,
        speak_conversation,
    )
    from modules.tools.services import open_services
    from modules.tools.speaking.request import SpeechRequest
    from modules.tools.speaking.speech import speak

    choices = {"device": "cpu", "score_takes": False, "torch_threads": 1}
    services = open_services(folder, choices)
    try:
        for name, wanted in SPOKEN.items():
            request = SpeechRequest(
                wanted.text, wanted.voice, "preset", "kokoro-v1.0", wanted.language, wanted.seed,
                wanted.options, score=False, output_format="wav",
            )  # fmt: skip
            take = speak(services, request)
            yield f"speech: {name}", take.audio_sha256
        cast = {name: CastVoice(voice, "kokoro-v1.0") for name, voice in CAST.items()}
        begun = begin_conversation(services, ConversationRequest(SCRIPT, cast, seed=3))
        whole = speak_conversation(services, begun.id).whole
        assert whole is not None
        yield "conversation", whole.audio_sha256
        yield "conversation: times", digest(json.dumps(dict(whole.spans_s), sort_keys=True))
        yield from answers(services, take.path)
    finally:
        services.close()


def answers(services: Any, recording: Path) -> Iterator[tuple[str, str]]:
    """What the API says to requests for speech and for transcripts of `recording`."""
    from fastapi.testclient import TestClient

    from modules.api.app import create_api
    from modules.tools.listening.transcribe import TranscribeRequest, transcribe
    from modules.tools.listening.transcripts import write_transcript

    with TestClient(create_api(services), base_url="http://127.0.0.1:7860") as client:
        for name, more in API.items():
            body = {"input": LONG[:150], "voice": "af_heart", "seed": 5, **more}
            answer = client.post("/v1/audio/speech", json=body).raise_for_status()
            yield f"api: {name}", digest(answer.content)
    request = TranscribeRequest(recording, "whisper-tiny.en", "en")
    transcript = transcribe(services, request)
    for fmt in ("txt", "srt", "vtt", "json"):
        file = write_transcript(transcript, fmt, recording.with_name(f"transcript.{fmt}"))
        yield f"transcript: {fmt}", digest(file.read_bytes())


def digest(content: bytes | str) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--out", type=Path, help="write {name: sha256} as JSON")
    parser.add_argument("--against", type=Path, help="compare with such a file")
    given = parser.parse_args()
    sys.path.insert(0, str(given.root.resolve()))
    from app import prepare_environment

    prepare_environment()
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for name, sha256 in sounds(Path(folder)):
            found[name] = sha256
            print(f"{sha256[:16]}  {name}", flush=True)
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if given.against:
        before = json.loads(given.against.read_text(encoding="utf-8"))
        names = sorted(before.keys() | found.keys())
        differing = [name for name in names if before.get(name) != found.get(name)]
        print("\n".join(f"differs: {name}" for name in differing) or "Everything is the same.")
        sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
