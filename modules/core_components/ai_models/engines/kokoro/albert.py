"""ALBERT (Lan et al. 2020, arXiv:1909.11942) as Kokoro uses it: one layer, applied many times.

transformers has it too, but importing transformers takes seconds and 150 MB, more than all the rest
of speaking. Names and numbers are those of `transformers.AlbertModel`, so that checkpoints fit; a
test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

_EPSILON = 1e-12  # of all layer norms, as in `transformers.AlbertConfig`


@dataclass(frozen=True)
class AlbertConfig:
    """The sizes that Kokoro's configuration names. `dropout` is for training."""

    vocab_size: int
    hidden_size: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    num_hidden_layers: int
    dropout: float = 0.0
    embedding_size: int = 128
    type_vocab_size: int = 2


@dataclass(frozen=True, eq=False)
class AlbertOutput:
    """`last_hidden_state` is [batch, tokens, hidden_size]."""

    last_hidden_state: Tensor


class _Embeddings(nn.Module):
    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        width = config.embedding_size
        self.word_embeddings = nn.Embedding(config.vocab_size, width)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, width)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, eps=_EPSILON)

    def forward(self, ids: Tensor) -> Tensor:
        positions = self.position_embeddings.weight[: ids.shape[1]]
        only_type = self.token_type_embeddings.weight[0]
        out: Tensor = self.LayerNorm(self.word_embeddings(ids) + only_type + positions)
        return out


class _Attention(nn.Module):
    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.query, self.key, self.value, self.dense = (nn.Linear(width, width) for _ in range(4))
        self.LayerNorm = nn.LayerNorm(width, eps=_EPSILON)

    def forward(self, x: Tensor, attended: Tensor | None) -> Tensor:
        query, key, value = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=attended)
        out: Tensor = self.LayerNorm(x + self.dense(found.transpose(1, 2).flatten(-2)))
        return out


class _Layer(nn.Module):
    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.attention = _Attention(config)
        self.ffn = nn.Linear(config.hidden_size, config.intermediate_size)
        self.ffn_output = nn.Linear(config.intermediate_size, config.hidden_size)
        self.full_layer_layer_norm = nn.LayerNorm(config.hidden_size, eps=_EPSILON)

    def forward(self, x: Tensor, attended: Tensor | None) -> Tensor:
        x = self.attention(x, attended)
        inner = functional.gelu(self.ffn(x), approximate="tanh")
        out: Tensor = self.full_layer_layer_norm(self.ffn_output(inner) + x)
        return out


class _Encoder(nn.Module):
    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.rounds = config.num_hidden_layers
        self.embedding_hidden_mapping_in = nn.Linear(config.embedding_size, config.hidden_size)
        shared = nn.Module()
        shared.albert_layers = nn.ModuleList([_Layer(config)])
        self.albert_layer_groups = nn.ModuleList([shared])
        self._layer = (shared.albert_layers[0],)  # in a tuple: the weights belong to the group

    def forward(self, x: Tensor, attended: Tensor | None) -> Tensor:
        x = self.embedding_hidden_mapping_in(x)
        for _ in range(self.rounds):
            x = self._layer[0](x, attended)
        return x


class AlbertModel(nn.Module):
    """Token ids [batch, tokens] in, their encodings out."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        self.encoder = _Encoder(config)
        self.pooler = nn.Linear(config.hidden_size, config.hidden_size)  # in checkpoints; unused

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.pooler.weight.device

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> AlbertOutput:
        """`attention_mask` [batch, tokens] is 0 where a token only fills up the batch."""
        attended = None if attention_mask is None else attention_mask.bool()[:, None, None, :]
        return AlbertOutput(self.encoder(self.embeddings(input_ids), attended))
