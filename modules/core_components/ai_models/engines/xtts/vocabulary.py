"""A vocabulary of XTTS with a language added: its signs, pieces of its words, and its token.

What others tried and what of it works: tokens of several signs are only ever made by merges, so the
pieces come with theirs; without a token of its own the language's name falls apart into unknown
tokens; the numbers of new tokens follow the last one without a gap, since the network has a row for
each number (coqui-ai/TTS#4121, nguyenhoanganh2002/XTTSv2-Finetuning-for-New-Languages).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import regex

from modules.core_components.ai_models.engines.xtts.checkpoint import TEXT_EMBEDDING
from modules.core_components.ai_models.engines.xtts.text_form import HOST, LANGUAGE
from modules.core_components.errors import CorruptFileError
from modules.core_components.text.amharic.phonemes import to_latin
from modules.core_components.text.amharic.syllables import homophones, syllables
from modules.core_components.texts import _

if TYPE_CHECKING:
    import torch

# 2,000 new tokens did best for others, 5,000 worse; few texts have fewer pieces.
MOST_TOKENS = 2000
_LEAST_OFTEN = 2  # a piece that occurs once teaches nothing
_HEAD, _HEAD_BIAS = "gpt.text_head.weight", "gpt.text_head.bias"
_ROWS = (TEXT_EMBEDDING, _HEAD, _HEAD_BIAS)
_UNKNOWN = "[UNK]"
# Of the spread of the old rows; so much that no two new rows are the same.
_NOISE = 0.05
_WORD = regex.compile(r"\p{Ethiopic}+")


def extended_vocabulary(
    base: Mapping[str, Any], texts: Iterable[str], most_tokens: int = MOST_TOKENS
) -> dict[str, Any]:
    """The content of a vocab.json with Amharic added, trained on `texts` as the front end gives
    them. All tokens and merges of `base` stay as they are.

    Every sign that the front end can give is a token, whether it is in the texts or not.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    signs = [sign for sign in syllables() if ord(sign) not in homophones()]
    learner = Tokenizer(models.BPE(unk_token=_UNKNOWN))
    learner.pre_tokenizer = pre_tokenizers.Whitespace()
    words = (word for text in texts for word in _WORD.findall(text))
    learner.train_from_iterator(
        words,
        trainers.BpeTrainer(
            vocab_size=max(most_tokens - 1, len(signs)),
            min_frequency=_LEAST_OFTEN,
            initial_alphabet=signs,
            special_tokens=[],
            show_progress=False,
        ),
    )
    learned = json.loads(learner.to_str())["model"]
    extended: dict[str, Any] = json.loads(json.dumps(base))
    numbers, merges, added = _parts(extended)
    following = max([*numbers.values(), *(token["id"] for token in added)]) + 1
    pieces = sorted(learned["vocab"], key=learned["vocab"].get)
    for token in [*pieces, f"[{LANGUAGE}]"]:
        if token not in numbers:
            numbers[token] = following
            following += 1
    merges += [_like(merges, pair) for pair in learned["merges"]]
    if not any(token["content"] == f"[{LANGUAGE}]" for token in added):
        like = next((token for token in added if token["content"] == f"[{HOST}]"), added[-1])
        own = {"id": numbers[f"[{LANGUAGE}]"], "content": f"[{LANGUAGE}]"}
        added.append({**like, **own})
    return extended


def _parts(vocabulary: Mapping[str, Any]) -> tuple[dict[str, int], list[Any], list[dict[str, Any]]]:
    try:
        model = vocabulary["model"]
        numbers, merges, added = model["vocab"], model["merges"], vocabulary["added_tokens"]
        if not (numbers and added and isinstance(merges, list)):
            raise KeyError("merges")
        return numbers, merges, added
    except (KeyError, TypeError) as error:
        raise CorruptFileError(
            _("The vocabulary of the base cannot be extended ({error!r}).", error=error),
            _("Download the base model again."),
        ) from error


def _like(merges: list[Any], pair: Any) -> Any:
    """The pair as the file writes its own: "a b" or ["a", "b"]."""
    parts = pair.split(" ") if isinstance(pair, str) else list(pair)
    return " ".join(parts) if not merges or isinstance(merges[0], str) else parts


def with_new_rows(
    weights: Mapping[str, torch.Tensor], vocabulary: Mapping[str, Any], seed: int
) -> dict[str, torch.Tensor]:
    """The weights of a base with rows for the tokens that `extended_vocabulary` added.

    Old rows stay. A new one begins as the mean of the rows of its Latin letters (the token of the
    language as that of the host language), with a little noise, so that training begins where
    transliteration does.
    """
    import torch
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(json.dumps(vocabulary))
    old = weights[TEXT_EMBEDDING].shape[0]
    total = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
    sources = [_sources(tokenizer, number, old) for number in range(old, total)]
    generator = torch.Generator().manual_seed(seed)
    extended = dict(weights)
    for name in _ROWS:
        rows = weights[name].float()
        spread = rows.std() * _NOISE
        new = torch.stack([rows[list(places)].mean(dim=0) for places in sources])
        new += spread * torch.randn(new.shape, generator=generator)
        extended[name] = torch.cat([rows, new]).to(weights[name].dtype)
    return extended


def _sources(tokenizer: Any, number: int, old: int) -> tuple[int, ...]:
    """Old rows that a new token may begin with."""
    token = tokenizer.id_to_token(number)
    latin = f"[{HOST}]" if token == f"[{LANGUAGE}]" else to_latin(token)
    unknown = tokenizer.token_to_id(_UNKNOWN)
    known = [one for one in tokenizer.encode(latin).ids if one < old and one != unknown]
    return tuple(known) or tuple(range(old))
