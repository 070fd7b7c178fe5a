"""The versions of Kokoro and the code that reads their files; the catalog says what each can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modules.core_components.ai_models.engines.kokoro import wrapper as v1_0
from modules.core_components.ai_models.engines.kokoro import wrapper_v0_19 as v0_19


@dataclass(frozen=True)
class Build:
    """How to load a version."""

    wrapper: type[v1_0.KokoroV1Wrapper]
    weights_file: str


BUILDS: Mapping[str, Build] = {
    "1.0": Build(v1_0.KokoroV1Wrapper, v1_0.WEIGHTS_FILE),
    "0.19": Build(v0_19.KokoroV019Wrapper, v0_19.WEIGHTS_FILE),
}
