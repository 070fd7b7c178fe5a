"""The versions of Kokoro: which code reads their files, and what each can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modules.core_components.ai_models.engines.kokoro.builds.v0_19 import wrapper as v0_19
from modules.core_components.ai_models.engines.kokoro.builds.v1_0 import wrapper as v1_0
from modules.core_components.ai_models.engines.kokoro.languages import LANGUAGES


@dataclass(frozen=True)
class Build:
    """How to load a version, the languages it speaks, and whether voices are fitted on it."""

    wrapper: type[v1_0.KokoroV1Wrapper]
    weights_file: str
    languages: tuple[str, ...]
    can_clone: bool


BUILDS: Mapping[str, Build] = {
    "1.0": Build(v1_0.KokoroV1Wrapper, v1_0.WEIGHTS_FILE, tuple(LANGUAGES), can_clone=True),
    "0.19": Build(v0_19.KokoroV019Wrapper, v0_19.WEIGHTS_FILE, ("en-us", "en-gb"), can_clone=False),
}
