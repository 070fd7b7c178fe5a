from __future__ import annotations

import numpy as np
import pytest

from modules.core_components.errors import BadInputError, JobCancelled
from modules.core_components.progress import CancelToken
from modules.tools.services import Services
from modules.tools.speaking.live_speech import complete_live_speech, open_live_speech
from modules.tools.speaking.request import PASSAGE_CHARACTERS, SpeechRequest
from modules.tools.speaking.speech import read_take, speak
from modules.tools.speaking.voice_lookup import find_voice
from tests.helpers.fakes import SINE, add_noise

# Two passages, so that the pause between them counts too.
LONG = "This sentence is here to fill the passage up with words. " * (PASSAGE_CHARACTERS // 50)


MARKED = "[speed:1.2] quick words [pause:700ms] after a pause [speed:1] and as before [pause:1s]"


@pytest.mark.parametrize("text", [LONG, MARKED], ids=["long", "marked"])
def test_it_says_what_a_take_of_the_same_request_says(services: Services, text: str) -> None:
    request = SpeechRequest(text, "high", "preset", SINE, seed=3, score=False)
    live = complete_live_speech(services, request)
    spoken = open_live_speech(services, live, CancelToken())
    samples = np.concatenate([piece.samples for piece in spoken])
    taken = read_take(speak(services, request)).samples
    assert len(samples) == len(taken)
    np.testing.assert_allclose(samples, taken, atol=1 / 32768)


def test_it_stops_when_told(services: Services) -> None:
    cancel = CancelToken()
    request = SpeechRequest("one two three", "high", "preset", SINE)
    spoken = open_live_speech(services, complete_live_speech(services, request), cancel)
    next(spoken)
    cancel.cancel()
    with pytest.raises(JobCancelled):
        next(spoken)


def test_a_voice_that_the_engine_lacks_is_refused_before_it_speaks(services: Services) -> None:
    request = SpeechRequest("one", "nobody", "preset", SINE)
    with pytest.raises(BadInputError, match="no voice"):
        open_live_speech(services, complete_live_speech(services, request), CancelToken())


def test_the_limit_of_the_api_is_its_own(services: Services) -> None:
    limit = services.settings.api_max_text_characters
    complete_live_speech(services, SpeechRequest("a" * limit, "high", "preset", SINE))
    with pytest.raises(BadInputError, match=f"the limit is {limit:,}") as refused:
        complete_live_speech(services, SpeechRequest("a" * (limit + 1), "high", "preset", SINE))
    assert refused.value.about == "text"


def test_a_voice_is_found_by_its_name(services: Services) -> None:
    engine = services.tts.get(SINE)
    add_noise(services, "Anna")
    services.samples.update("Anna", language="it")
    assert find_voice(services, engine, " high ").kind == "preset"
    anna = find_voice(services, engine, "Anna")
    assert (anna.kind, anna.language) == ("sample", "it")
    mix = find_voice(services, engine, "high(2)+low")
    assert (mix.name, mix.kind) == ("high(2)+low", "preset")
    with pytest.raises(BadInputError, match="no voice 'hihg'") as refused:
        find_voice(services, engine, "hihg")
    assert "high" in refused.value.hint
