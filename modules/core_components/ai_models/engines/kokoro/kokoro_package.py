"""The network of the package `kokoro`, without what importing the package brings along.

`import kokoro` takes away the log sinks of the host program (loguru), and its network pulls in
transformers for a small ALBERT: seconds at every start, and 150 MB. So the package's files of the
network are executed here in modules of their own, which see our ALBERT (`albert.py`) in place of
transformers. Whoever imports kokoro gets kokoro.
"""

from __future__ import annotations

import builtins
import sys
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from modules.core_components.errors import StudioError

# The repository the architecture comes from. KModel prints a warning when it is not named; nothing
# is fetched from there, since configuration and weights are always handed in.
REPOSITORY = "hexgrad/Kokoro-82M"

_PACKAGE = "kokoro"
_FILES = ("custom_stft", "istftnet", "modules", "model")  # each imports those before it


@lru_cache(maxsize=1)
def import_kmodel() -> Any:
    """The class `kokoro.model.KModel`."""
    from modules.core_components.ai_models.engines.kokoro import albert

    hub = ModuleType("huggingface_hub")
    hub.hf_hub_download = _refuse_download  # type: ignore[attr-defined]
    seen: dict[str, ModuleType] = {"transformers": albert, "huggingface_hub": hub}

    def find(name: str, *arguments: Any) -> Any:
        """`__import__` for the package's files; `arguments` end with the level of relativity."""
        inside = name.removeprefix(f"{_PACKAGE}.")
        return seen[inside] if inside in seen else builtins.__import__(name, *arguments)

    folder = _package_folder()
    for name in _FILES:
        path = folder / f"{name}.py"
        module = ModuleType(f"{__name__}.{name}")
        sys.modules[module.__name__] = module  # dataclasses look their module up there
        vars(module)["__builtins__"] = {**vars(builtins), "__import__": find}
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))  # noqa: S102
        seen[name] = module
    return seen["model"].KModel


def _package_folder() -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise StudioError(
            "The package kokoro is not installed.",
            "Run the installer again; it repairs what is missing.",
        )
    return Path(spec.origin).parent


def _refuse_download(*_names: Any, **_options: Any) -> str:
    raise RuntimeError("Kokoro's files are handed in, never fetched by the package")
