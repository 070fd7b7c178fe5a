"""Bytecode of what the studio imports, made once during the installation.

Python would make it at the first start, unless it is told not to write any (a common setting of
containers): then every start would compile thousands of files again, which takes longer than all
else that a start does.
"""

from __future__ import annotations

from installer.commands import Commands
from installer.environment import Environment
from installer.journal import Journal

_TIMEOUT_S = 600.0
# The heavy packages, by the modules of theirs that the studio reaches.
_IMPORTED = (
    "gradio",
    "uvicorn",
    "typer",
    "torch",
    "safetensors.torch",
    "transformers.models.albert.modeling_albert",
    "kokoro",
    "misaki.en",
    "misaki.espeak",
    "misaki.cutlet",
    "misaki.zh",
    "faster_whisper",
    "scipy.signal",
    "pyloudnorm",
    "jiwer",
)
_SCRIPT = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        print(f"{name}: {error!r}")
"""


def precompile(environment: Environment, commands: Commands, journal: Journal) -> None:
    """Imports the packages in a process that may write bytecode; failures only cost time later."""
    with journal.activity("Packages", "preparing for quick starts"):
        commands.run(
            [str(environment.python), "-c", _SCRIPT, *_IMPORTED],
            {"PYTHONDONTWRITEBYTECODE": ""},
            timeout_s=_TIMEOUT_S,
        )
