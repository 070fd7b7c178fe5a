"""Runs every command in one process, as `app.py` would, and prints what came of each as JSON.

    python tests/cli/every_command.py INPUTS ROOT OUT [ROOT OUT ...]

The commands run for each ROOT, the data root, and write below OUT; INPUTS has what they read.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import app


def commands(inputs: Path, out: Path) -> list[list[str]]:
    """One line for every command of the terminal, with what it needs."""
    recording, script, archive = (inputs / name for name in ("anna.wav", "talk.txt", "anna.pt"))
    wav = str(out / "a.wav")
    return [
        ["clone", "--sample", str(recording), "--text", "Hi.", "--out", wav],
        ["speak", "--voice", "af_heart", "--text", "Hi.", "--out", wav],
        ["design", "--describe", "An old man.", "--out", wav],
        ["transcribe", str(recording), "--out", str(out / "texts")],
        ["converse", str(script), "--out", wav, "--voice", "Anna=af_heart"],
        ["export-voice", "--sample", "anna", "--out", str(out / "a.pt")],
        ["voices", "list"],
        ["voices", "save-mix", "af_heart(2)+af_sky(1)", "--name", "mix"],
        ["voices", "import", str(archive)],
        ["voices", "export", "af_heart", "--out", str(out / "a.pt")],
        ["voices", "delete", "mix"],
        ["pronunciations", "list"],
        ["pronunciations", "add", "Ghent", "gent", "--language", "en"],
        ["pronunciations", "remove", "Ghent", "--language", "en"],
        ["dataset", "create", "anna", "--language", "en"],
        ["dataset", "add", "anna", str(recording)],
        ["dataset", "import", "anna", str(recording), "--language", "en"],
        ["dataset", "list"],
        ["dataset", "show", "anna"],
        ["dataset", "export", "anna", "--out", str(out / "anna.zip")],
        ["dataset", "delete", "anna"],
        ["train", "preflight", "--dataset", "anna"],
        ["train", "xtts", "--dataset", "anna"],
        ["train", "resume", "anna"],
        ["train", "status"],
        ["train", "stop", "anna"],
        ["train", "evaluate", "anna"],
        ["train", "publish", "anna", "--name", "anna"],
        ["models", "list"],
        ["models", "status", "kokoro"],
        ["models", "download", "whisper-small"],
        ["models", "delete", "kokoro"],
        ["models", "prompts"],
        ["models", "plan", "kokoro"],
        ["models", "configure", "kokoro", "--device", "cpu"],
        ["models", "token", "set"],
        ["models", "token", "status"],
        ["models", "token", "remove"],
        ["models", "token", "status"],
        ["models", "tuned", "import", str(archive)],
        ["models", "tuned", "export", "anna", str(out / "anna-model.zip")],
        ["models", "tuned", "restore"],
        ["bench", "kokoro"],
        ["trash", "list"],
        ["trash", "restore", "anna"],
        ["trash", "empty", "--yes"],
        ["doctor"],
        ["read", "Dr. Smith paid $5.", "--language", "en"],
        ["models", "recommend"],
        ["clean", str(recording), "--out", str(out / "cleaned"), "--loudness", "-20"],
        ["speak", "--voice", "af_heart", "--from-file", str(script), "--out", str(out / "said")],
        ["cluster", "status"],
        ["cluster", "test"],
        ["remotes", "add", "second", "http://127.0.0.1:9"],
        ["remotes", "list"],
        ["remotes", "test", "second"],
        ["remotes", "remove", "second"],
        ["--port", "99999", "--no-browser"],
    ]


def run_each(root: Path, lines: list[list[str]]) -> list[dict[str, object]]:
    """The exit code and the output of every command, in turn for people and with --json."""
    from modules.cli.main import run
    from modules.tools import doctor

    doctor.PACKAGES = ("av",)  # importing all of them takes seconds
    results: list[dict[str, object]] = []
    terminal = sys.stdout, sys.stderr
    for number, words in enumerate(lines):
        form = ["--json"] if number % 2 and words[0] != "--port" else []
        streams = [io.TextIOWrapper(io.BytesIO(), "cp1252") for _ in range(2)]
        sys.stdout, sys.stderr = streams
        sys.argv = ["app.py", "--data-root", str(root), *words, *form]
        try:
            code = run()
        finally:
            sys.stdout, sys.stderr = terminal
        out, err = (stream.buffer.getvalue().decode("utf-8") for stream in streams)
        results.append({"words": [*words, *form], "code": code, "out": out, "err": err})
    return results


if __name__ == "__main__":
    app.prepare_environment()
    inputs, *places = (Path(word) for word in sys.argv[1:])
    pairs = zip(places[::2], places[1::2], strict=True)
    sys.stdout.write(json.dumps([run_each(root, commands(inputs, out)) for root, out in pairs]))
