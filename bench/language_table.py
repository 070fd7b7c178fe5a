"""The table of languages by engine in docs/languages.md.

    python -m bench.languages --words 45 > lines.json   # Kokoro, read back by Whisper base
    python -m bench.language_table --kokoro lines.json  # keeps its figures
    python -m bench.language_table --run                # speaks with the tiny checkpoints
    python -m bench.language_table                      # writes the table from what is kept

What is kept lies in docs/figures. A cell says what ran: for Kokoro the character and the phoneme
error rate of real weights; for the others, whose weights were not at hand, that a sentence of the
language was spoken by the engine's own code on a tiny random checkpoint.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.errors import StudioError
from modules.core_components.settings import app_folder
from modules.core_components.text.judging_sentences import JUDGED, judging_sentences
from modules.core_components.text.language_codes import match_language
from modules.core_components.text.languages import language_name
from modules.core_components.text.reading.front_end import RULED_LANGUAGES

ROOT = Path(__file__).resolve().parents[1]
PAGE, FIGURES = ROOT / "docs/languages.md", ROOT / "docs/figures"
KOKORO_FILE, TINY_FILE = FIGURES / "kokoro_languages.json", FIGURES / "tiny_languages.json"
BEGIN, END = "<!-- languages by engine -->", "<!-- end -->"
SPOKEN = "spoken (tiny)"
COLUMNS = ("XTTS", "Pocket TTS", "Qwen3-TTS", "VibeVoice", "OmniVoice")


def pocket_ids(catalog: Catalog) -> dict[str, str]:
    """The usual Pocket TTS of each language by its code."""
    ids = [entry for entry in catalog.entries() if entry.id.startswith("pocket-tts-")]
    return {entry.languages[0]: entry.id for entry in ids if entry.id.count("-") == 2}


def languages_of(catalog: Catalog) -> dict[str, dict[str, str]]:
    """By column, the model that is asked for each language."""
    from tests.helpers.tiny_engines import OMNIVOICE, QWEN, VIBEVOICE, XTTS

    known = {"XTTS": XTTS, "Qwen3-TTS": QWEN, "VibeVoice": VIBEVOICE}
    found = {
        column: dict.fromkeys((code.partition("-")[0] for code in catalog.entry(name).languages),
                              name)
        for column, name in known.items()
    }  # fmt: skip
    found["Pocket TTS"] = pocket_ids(catalog)
    # Of its 646 languages, those that there are sentences of.
    spoken = {match_language(code, catalog.entry(OMNIVOICE).languages): code for code in JUDGED}
    found["OmniVoice"] = {code: OMNIVOICE for known, code in spoken.items() if known}
    return found


def run_tiny() -> dict[str, dict[str, str]]:
    """Whether a sentence of each language is spoken, by column and language."""
    from tests.helpers.tiny_engines import a_recording, first_sound, open_tiny_engines
    from tests.helpers.tiny_omnivoice import build_tiny_omnivoice
    from tests.helpers.tiny_pocket import build_tiny_pocket
    from tests.helpers.tiny_vibevoice import build_tiny_vibevoice
    from tests.helpers.tiny_xtts import build_tiny_xtts

    catalog = Catalog.load(app_folder() / "configs" / "models.toml", Path("none"))
    asked, said = languages_of(catalog), dict[str, dict[str, str]]()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        manager = open_tiny_engines(
            root,
            build_tiny_xtts(root / "tiny" / "xtts"),
            build_tiny_vibevoice(root / "tiny" / "vibevoice"),
            build_tiny_omnivoice(root / "tiny" / "omnivoice"),
            build_tiny_pocket(root / "tiny" / "pocket"),
            tuple(asked["Pocket TTS"].values()),
        )
        sample = a_recording(root)
        for column, models in asked.items():
            said[column] = {}
            for code, name in models.items():
                try:
                    voice = manager.prepare_voice(name, sample)[0]
                    engine, text = manager.get(name), judging_sentences(code)[0]
                    own = match_language(code, engine.languages)
                    heard = first_sound(engine, voice, text, own)
                    said[column][code] = SPOKEN if len(heard.samples) else "nothing"
                except StudioError as error:
                    said[column][code] = error.message
                print(column, code, said[column][code], flush=True)
        manager.pool.close()
    return said


def table(kokoro: Mapping[str, Mapping[str, float]], tiny: Mapping[str, Mapping[str, str]]) -> str:
    """The table in Markdown."""
    by_kokoro: dict[str, list[str]] = {}
    for code, found in kokoro.items():
        rate, phonemes = found["character_error_rate"], found["phoneme_error_rate"]
        read = "" if phonemes is None else f", {phonemes:.1%}"
        variety = f" ({code})" if "-" in code else ""
        by_kokoro.setdefault(code.partition("-")[0], []).append(f"{rate:.1%}{read}{variety}")
    codes = [*by_kokoro, *(code for column in tiny.values() for code in column)]
    ruled = {code.partition("-")[0] for code in RULED_LANGUAGES}
    lines = [
        f"| language | front end | Kokoro 1.0 | {' | '.join(COLUMNS)} |",
        "|---" * (3 + len(COLUMNS)) + "|",
    ]
    for code in sorted(dict.fromkeys([*codes, *ruled]), key=language_name):
        cells = [", ".join(by_kokoro.get(code, [])), *(tiny[c].get(code, "") for c in COLUMNS)]
        rules = "rules" if code in ruled else "form only"
        lines.append(f"| {language_name(code)} (`{code}`) | {rules} | {' | '.join(cells)} |")
    return "\n".join(lines)


def with_table(page: str) -> str:
    """docs/languages.md with the table made of what is kept."""
    kokoro, tiny = (
        json.loads(file.read_text(encoding="utf-8")) for file in (KOKORO_FILE, TINY_FILE)
    )
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{table(kokoro, tiny)}\n{END}{rest.split(END)[1]}"


def keep(file: Path, record: Mapping[str, object]) -> None:
    text = json.dumps(record, indent=1, ensure_ascii=False)
    file.write_text(f"{text}\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kokoro", type=Path, help="the output of bench.languages")
    parser.add_argument("--run", action="store_true", help="speak with the tiny checkpoints")
    given = parser.parse_args()
    if given.kokoro:
        lines = given.kokoro.read_text(encoding="utf-8").splitlines()
        found = {code: one for line in lines for code, one in json.loads(line).items()}
        for one in found.values():
            one.pop("heard", None)
        keep(KOKORO_FILE, found)
    if given.run:
        keep(TINY_FILE, run_tiny())
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
