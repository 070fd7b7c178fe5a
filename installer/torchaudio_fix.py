"""torchaudio without CUDA.

The registry's torchaudio for Linux is linked against CUDA's libraries, so next to a CPU build of
torch `import torchaudio` dies. torchaudio treats *absent* native files as a supported mode in which
everything the studio uses works; so they are moved aside when, and only when, loading them fails
for a missing CUDA library. Next to a CUDA build of torch they go back to their place.
"""

from __future__ import annotations

import re
from pathlib import Path

from installer.commands import Commands
from installer.environment import Environment
from installer.integrity import ASIDE_SUFFIX
from installer.journal import Journal
from installer.torch_install import InstalledTorch

_MISSING_CUDA_LIBRARY = re.compile(
    r"(lib(?:c10_cuda|torch_cuda|cuda|cu[a-zA-Z]+|nv[a-zA-Z]+)[\w.-]*): cannot open shared object"
)


def missing_cuda_library(error_text: str) -> str | None:
    """The CUDA library that a failed import names; None if it failed for another reason."""
    match = _MISSING_CUDA_LIBRARY.search(error_text)
    return match[1] if match else None


def move_aside(torchaudio: Path) -> list[Path]:
    """Renames torchaudio's native files so that it does not see them; returns their new paths."""
    moved = []
    for library in sorted((torchaudio / "lib").glob("*.so")):
        moved.append(library.with_name(library.name + ASIDE_SUFFIX))
        library.replace(moved[-1])
    return moved


def put_back(torchaudio: Path) -> list[Path]:
    """Undoes `move_aside`; a file that is there again already wins over the one set aside."""
    restored = []
    for aside in sorted((torchaudio / "lib").glob("*.so" + ASIDE_SUFFIX)):
        library = aside.with_name(aside.name[: -len(ASIDE_SUFFIX)])
        if library.exists():
            aside.unlink()
        else:
            restored.append(aside.replace(library))
    return restored


def fix_torchaudio(
    environment: Environment, torch: InstalledTorch, commands: Commands, journal: Journal
) -> None:
    """Makes `import torchaudio` work next to this torch; says so if it cannot."""
    torchaudio = environment.site_packages / "torchaudio"
    if torch.cuda is not None:
        put_back(torchaudio)
    failure = _import_failure(environment, commands)
    if torch.cuda is None and failure and missing_cuda_library(failure):
        library = missing_cuda_library(failure)
        count = len(move_aside(torchaudio))
        journal.say("torchaudio", f"{count} native files moved aside: {library} is not here")
        failure = _import_failure(environment, commands)
    if failure:
        journal.say("torchaudio", "does not load: " + failure.strip().splitlines()[-1])


def _import_failure(environment: Environment, commands: Commands) -> str:
    """What importing torchaudio prints when it fails; empty if it works."""
    outcome = commands.run([str(environment.python), "-c", "import torchaudio"])
    return "" if outcome.ok else (outcome.output or f"exit code {outcome.returncode}")
