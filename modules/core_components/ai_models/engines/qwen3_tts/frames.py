"""The talker's codes, a frame of 80 ms at a time.

The package speaks a whole text at once. What it hands to its talker is caught here, and the talker
is then led step by step: a listener hears the beginning while the end is not drawn yet, and a wish
to stop is heard within a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch


class Frames(Protocol):
    """Frames of codes, int64 [code groups] each, drawn as they are asked for.

    `truncated` tells, once they are over, whether the limit ended them and not the model.
    """

    truncated: bool

    def __iter__(self) -> Iterator[torch.Tensor]: ...


class _Caught(Exception):  # noqa: N818 - carries what was asked for, out of the package's own call
    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.arguments = arguments


def talker_arguments(talker: Any, speak: Callable[[], Any]) -> Mapping[str, Any]:
    """What the package would call the talker's `generate` with, in `speak`.

    For one thread at a time: the pool's run slot sees to that.
    """

    def catch(**arguments: Any) -> None:
        raise _Caught(arguments)

    talker.generate = catch
    try:
        speak()
    except _Caught as caught:
        return caught.arguments
    finally:
        del talker.generate  # the class has the real one
    raise RuntimeError("The package did not reach its talker")


class PlainFrames:
    """What the talker's own `generate` draws, with the same numbers from the same generator.

    `given` are its arguments. With `max_new_tokens` of n there are n - 1 frames at the most: the
    last token that is drawn has no finer codes any more.
    """

    def __init__(self, talker: Any, given: Mapping[str, Any]) -> None:
        self._talker = talker
        self._given = given
        self.truncated = False

    def __iter__(self) -> Iterator[torch.Tensor]:
        import torch

        given = self._given
        processors = _processors(given, self._talker.device)
        passed_on = {
            name: given[name]
            for name in given
            if name.startswith("subtalker_") or name in ("trailing_text_hidden", "tts_pad_embed")
        }
        mask = given["attention_mask"]
        drawn = torch.empty((1, 0), dtype=torch.long, device=mask.device)
        state: dict[str, Any] = {"inputs_embeds": given["inputs_embeds"]}
        while True:
            output = self._talker(attention_mask=mask, use_cache=True, **state, **passed_on)
            codes = output.hidden_states[1]
            if codes is not None:
                yield codes[0]
            token = _drawn(output.logits, drawn, processors, given["do_sample"])
            drawn = torch.cat([drawn, token], dim=1)
            if token.item() == given["eos_token_id"]:
                return
            if drawn.shape[1] >= given["max_new_tokens"]:
                self.truncated = True
                return
            mask = torch.cat([mask, mask.new_ones((1, 1))], dim=1)
            state = {
                "input_ids": token,
                "past_key_values": output.past_key_values,
                "past_hidden": output.past_hidden,
                "generation_step": output.generation_step,
            }


def _drawn(logits: Any, before: Any, processors: Any, do_sample: bool) -> torch.Tensor:
    """The next token, int64 [1, 1]."""
    import torch

    scores = processors(before, logits[:, -1, :].to(dtype=torch.float32, copy=True))
    if not do_sample:
        return scores.argmax(dim=-1, keepdim=True)
    return torch.multinomial(scores.softmax(dim=-1), num_samples=1)


def _processors(given: Mapping[str, Any], device: Any) -> Any:
    """Those of transformers' `generate` for these arguments, in its order."""
    from transformers import generation as hf

    chosen = hf.LogitsProcessorList()
    if given["repetition_penalty"] != 1.0:
        chosen.append(hf.RepetitionPenaltyLogitsProcessor(given["repetition_penalty"]))
    # The prompt is given as vectors: no token of it counts.
    chosen.append(
        hf.MinNewTokensLengthLogitsProcessor(
            0, given["min_new_tokens"], given["eos_token_id"], device=device
        )
    )
    chosen.append(hf.SuppressTokensLogitsProcessor(given["suppress_tokens"], device=device))
    if given["do_sample"]:
        if given["temperature"] != 1.0:
            chosen.append(hf.TemperatureLogitsWarper(given["temperature"]))
        if given["top_k"]:
            chosen.append(hf.TopKLogitsWarper(given["top_k"]))
        if given["top_p"] < 1.0:
            chosen.append(hf.TopPLogitsWarper(given["top_p"]))
    return chosen
