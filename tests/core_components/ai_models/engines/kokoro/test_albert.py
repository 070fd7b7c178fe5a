"""Our ALBERT against that of transformers, and kokoro's network without its package."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import torch

from modules.core_components.ai_models.engines.kokoro.network import AlbertConfig, AlbertModel

SIZES = AlbertConfig(
    vocab_size=30,
    hidden_size=24,
    num_attention_heads=3,
    intermediate_size=40,
    max_position_embeddings=16,
    num_hidden_layers=3,
)


def test_it_is_the_albert_of_transformers() -> None:
    import transformers

    sizes = dataclasses.asdict(SIZES)
    sizes.pop("dropout")
    torch.manual_seed(0)
    theirs = transformers.AlbertModel(transformers.AlbertConfig(**sizes)).eval()
    for weight in theirs.parameters():  # biases start at 0 and would hide a mistake
        torch.nn.init.normal_(weight, std=0.3)
    ours = AlbertModel(SIZES).eval()
    ours.load_state_dict(theirs.state_dict())
    ids = torch.randint(30, (2, 11))
    attended = torch.ones_like(ids)
    attended[1, 7:] = 0
    with torch.no_grad():
        for mask in (None, attended):
            expected = theirs(ids, attention_mask=mask).last_hidden_state
            found = ours(ids, attention_mask=mask).last_hidden_state
            torch.testing.assert_close(found[0], expected[0])
            torch.testing.assert_close(found[1, :7], expected[1, :7])


def test_the_network_comes_without_its_package() -> None:
    """Neither transformers nor kokoro itself is imported, and the log sinks of the host stay."""
    program = """
import sys
from loguru import logger
sink = logger.add(lambda message: None)
from modules.core_components.ai_models.engines.kokoro.network import import_kmodel
assert import_kmodel().__name__ == "KModel"
assert import_kmodel() is import_kmodel()
assert not {"transformers", "kokoro"} & set(sys.modules), "too much"
logger.remove(sink)  # raises if somebody removed it before
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
