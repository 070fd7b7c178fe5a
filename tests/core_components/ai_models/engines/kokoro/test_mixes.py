"""The grammar of mixes: what it reads, what it refuses and why."""

from __future__ import annotations

import pytest

from modules.core_components.ai_models.engines.kokoro.voices import (
    MOST_VOICES,
    format_mix,
    is_mix,
    mix_names,
    parse_mix,
)
from modules.core_components.errors import BadInputError


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("af_bella", {"af_bella": 1.0}),
        ("af_bella(7)", {"af_bella": 1.0}),
        ("af_bella(3)+af_sky(1)", {"af_bella": 0.75, "af_sky": 0.25}),
        ("  af_bella ( 3.0 ) + af_sky  ", {"af_bella": 0.75, "af_sky": 0.25}),
        ("af_heart-af_nicole(0.5)", {"af_heart": 2.0, "af_nicole": -1.0}),
        ("-af_nicole(0.5) + af_heart", {"af_nicole": -1.0, "af_heart": 2.0}),
        ("Zoë_2+आवाज़", {"Zoë_2": 0.5, "आवाज़": 0.5}),
    ],
)
def test_shares_add_up_to_one(text: str, shares: dict[str, float]) -> None:
    parsed = parse_mix(text)
    assert dict(parsed) == pytest.approx(shares)
    assert sum(share for _, share in parsed) == pytest.approx(1.0)


UNREADABLE = ["", " ", "+", "()", "a()", "a b", "a+", "a++b", "a--b", "a(1)b(2)", "a(1e9)"]
UNREADABLE += ["af_bella(2", "af_bella(-1)", "af_bella(x)", "a(" + "9" * 400 + ")"]


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_cannot_be_read_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInputError, match="af_heart-af_nicole"):
        parse_mix(text)


@pytest.mark.parametrize("text", ["a(0)+b(0)", "a-b", "a-b(2)", "-a"])
def test_weights_that_leave_nothing_are_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="weigh more"):
        parse_mix(text)


def test_a_difference_that_drowns_the_voice_is_refused() -> None:
    with pytest.raises(BadInputError, match="Take away less"):
        parse_mix("a-b(0.99)")


def test_a_mix_is_not_endless() -> None:
    assert len(parse_mix("+".join("a" * MOST_VOICES))) == MOST_VOICES
    with pytest.raises(BadInputError, match=f"{MOST_VOICES} voices"):
        parse_mix("+".join("a" * (MOST_VOICES + 1)))


def test_sliders_become_a_text_that_reads_back() -> None:
    text = format_mix([("a", 2.0), ("", 1.0), ("b", 0.0), ("c", -0.35)])
    assert text == "a(2)-c(0.35)"
    assert dict(parse_mix(text)) == pytest.approx({"a": 2 / 1.65, "c": -0.35 / 1.65})
    assert format_mix([("a", -0.5), ("b", 1.0)]) == "-a(0.5)+b(1)"
    assert format_mix([]) == ""


def test_a_name_alone_is_no_mix() -> None:
    assert not is_mix("af_bella")
    assert all(is_mix(text) for text in ("a+b", "a-b", "a(2)"))


def test_names_are_known_before_the_weights_are_judged() -> None:
    assert mix_names("a-b(2)") == ("a", "b")
