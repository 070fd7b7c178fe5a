from __future__ import annotations

import re
from pathlib import Path

import pytest

from modules.core_components.ai_models.catalog import (
    Catalog,
    CatalogError,
    FileRecord,
    HubSource,
    Manifest,
    ModelFile,
    RegistrySource,
    read_manifest,
    starter_ids,
    write_manifest,
)
from modules.core_components.ai_models.downloads.downloader import model_status
from modules.core_components.errors import NotFoundError
from tests.core_components.ai_models.catalogs import catalog, model

REAL = Path(__file__).parents[3] / "configs" / "models.toml"
SEEDS = {
    "kokoro-v1.0", "kokoro-v0.19", "xtts-v2.0.0", "xtts-v2.0.1", "xtts-v2.0.2", "xtts-v2.0.3",
    "qwen3-tts-0.6b-base", "qwen3-tts-1.7b-base", "qwen3-tts-0.6b-custom-voice",
    "qwen3-tts-1.7b-custom-voice", "qwen3-tts-1.7b-voice-design", "vibevoice-1.5b",
    "vibevoice-large", "vibevoice-large-4bit", "vibevoice-asr", "ge2e", "campplus",
    *(f"whisper-{size}" for size in (
        "tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en",
        "large-v1", "large-v2", "large-v3", "large-v3-turbo",
    )),
}  # fmt: skip

SMALL = """
[licence.mit]
name = "MIT"
url = "https://example.org"
commercial = true

[family.voices]
task = "text-to-speech"
licence = "mit"
sample_rate_hz = 24000
memory_mb = 100

[[model]]
id = "one"
family = "voices"
version = "1"
label = "One"
folder = "voices/one"
files = [{ name = "a.bin", bytes = 3 }]

[[model.source]]
kind = "hub"
repository = "someone/one"
revision = "main"
"""


@pytest.fixture(scope="module")
def real() -> Catalog:
    return Catalog.load(REAL, Path("/nowhere/base_models"))


def load(tmp_path: Path, text: str) -> Catalog:
    path = tmp_path / "models.toml"
    path.write_text(text, encoding="utf-8")
    return Catalog.load(path, tmp_path / "base_models")


def test_real_catalog_holds_every_seed_model(real: Catalog) -> None:
    assert {entry.id for entry in real.entries()} >= SEEDS


def test_real_entries_are_complete_and_stay_in_the_models_folder(real: Catalog) -> None:
    for entry in real.entries():
        assert entry.label
        assert entry.licence.url.startswith("https://")
        assert entry.sample_rate_hz > 0
        assert entry.memory_mb > 0
        assert entry.download_bytes > 1_000_000, entry.id
        assert real.folder(entry).resolve().is_relative_to(real.models_folder)
        for source in entry.sources:
            assert source.revision
            assert entry.files_from(source)


def test_real_hub_revisions_are_commits_but_for_the_known_few(real: Catalog) -> None:
    loose = {
        entry.id
        for entry in real.entries()
        for source in entry.sources
        if isinstance(source, HubSource) and not re.fullmatch(r"[0-9a-f]{40}", source.revision)
    }
    assert loose == {
        "omnivoice-amharic",
        "kokoro-v0.19",
        "xtts-v2.0.0",
        "xtts-v2.0.1",
        "xtts-v2.0.2",
    }


def test_real_starters_come_from_registries_too(real: Catalog) -> None:
    assert starter_ids(real) == (
        "kokoro-v1.0",
        "whisper-tiny.en",
        "whisper-base",
        "ge2e",
        "campplus",
        "speaker-segmentation",
    )
    for model_id in starter_ids(real):
        entry = real.entry(model_id)
        assert any(isinstance(source, RegistrySource) for source in entry.sources)
        assert entry.engine


def test_xtts_pocket_and_omnivoice_need_consent_and_the_starters_do_not(real: Catalog) -> None:
    asks = {entry.id for entry in real.entries() if entry.licence.consent_required}
    xtts = {entry.id for entry in real.entries() if "xtts" in entry.id}
    pocket = {entry.id for entry in real.entries() if entry.family == "pocket-tts"}
    omnivoice = {entry.id for entry in real.entries() if entry.family == "omnivoice"}
    assert asks == xtts | pocket | omnivoice
    assert not any(real.entry(model_id).licence.commercial for model_id in xtts | omnivoice)
    assert all(real.entry(model_id).licence.commercial for model_id in pocket)


def test_registry_files_made_here_have_no_foreseen_hash(real: Catalog) -> None:
    entry = real.entry("kokoro-v1.0")
    hub, registry, japanese = entry.sources
    by_name = {item.name: item for item in entry.files_from(registry)}
    assert by_name["kokoro-v1_0.pth"].sha256 is None
    assert by_name["config.json"].sha256 is not None
    assert len(by_name) == len(entry.files_from(hub)) == 56
    assert len(entry.files_from(japanese)) == 7


def test_small_catalog_takes_what_its_family_says(tmp_path: Path) -> None:
    entry = load(tmp_path, SMALL).entry("one")
    assert (entry.task, entry.sample_rate_hz, entry.licence.name) == (
        "text-to-speech",
        24000,
        "MIT",
    )


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('label = "One"', 'label = "One"\ncolour = "red"', "colour"),
        ('kind = "hub"', 'kind = "hub"\nbranch = "x"', "branch"),
        ('version = "1"\n', "", "version"),
        ("memory_mb = 100", 'memory_mb = "much"', "memory_mb"),
        ('folder = "voices/one"', 'folder = "../one"', "../one"),
        ('folder = "voices/one"', 'folder = "/one"', "/one"),
        ('name = "a.bin"', 'name = "..\\\\a.bin"', "unsafe"),
        ('name = "a.bin"', 'name = "C:a.bin"', "unsafe"),
        ("bytes = 3", 'sha256 = "ABC"', "sha256"),
        ('task = "text-to-speech"', 'task = "singing"', "singing"),
        ('licence = "mit"', 'licence = "gpl"', "gpl"),
        ('family = "voices"', 'family = "choir"', "choir"),
        ("files = [{", "files = [{ name = 'a.bin' }, {", "twice"),
        ("[licence.mit]", "[licence.mit", "cannot be read"),
    ],
)
def test_faults_are_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in SMALL
    with pytest.raises(CatalogError, match=re.escape(named)):
        load(tmp_path, SMALL.replace(old, new))


def test_ids_are_unique_and_folders_shared_only_by_the_same_files(tmp_path: Path) -> None:
    second = SMALL[SMALL.index("[[model]]") :]
    with pytest.raises(CatalogError, match="twice"):
        load(tmp_path, SMALL + second)
    with pytest.raises(CatalogError, match="share the folder"):
        load(tmp_path, SMALL + second.replace('"one"', '"two"').replace("a.bin", "b.bin"))
    assert load(tmp_path, SMALL + second.replace('"one"', '"two"')).entry("two")


def test_an_unknown_model_names_those_that_look_alike(real: Catalog) -> None:
    with pytest.raises(NotFoundError, match=r"whisper-large-v3"):
        real.entry("whisper-large")


def test_state_of_files_put_there_by_hand(tmp_path: Path) -> None:
    entry = model((ModelFile("a.bin"), ModelFile("part*.bin"), ModelFile("sub/c.bin")))
    models = catalog(tmp_path, entry)
    folder = models.folder(entry)
    assert models.state(entry) == "missing"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"a")
    (folder / "sub/c.bin").write_bytes(b"c")
    assert models.state(entry) == "partial"
    assert models.missing_files(entry) == ("part*.bin",)
    (folder / "part1.bin").write_bytes(b"p")
    assert models.state(entry) == "installed"
    assert model_status(models, entry).bytes_on_disk == 3


def test_a_manifest_says_what_must_be_there(tmp_path: Path) -> None:
    entry = model((ModelFile("a.bin"), ModelFile("b.bin")))
    models = catalog(tmp_path, entry)
    folder = models.folder(entry)
    record = FileRecord(1, "0" * 64, 0)
    write_manifest(folder, Manifest("hub:x", "r2", {"a.bin": record}, complete=True))
    assert models.missing_files(entry) == ("a.bin",)
    (folder / "a.bin").write_bytes(b"a")
    assert models.state(entry) == "installed"
    assert models.revision(entry) == "r2"
    write_manifest(folder, Manifest("hub:x", "r2", {"a.bin": record}, complete=False))
    (folder / "b.bin").write_bytes(b"b")
    assert models.state(entry) == "partial"


def test_a_manifest_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / ".studio.json").write_text('{"files": [1', encoding="utf-8")
    assert read_manifest(tmp_path) is None
    (tmp_path / ".studio.json").write_text('{"files": {}}', encoding="utf-8")
    assert read_manifest(tmp_path) is None
    record = FileRecord(1, "0" * 64, 0)
    write_manifest(tmp_path, Manifest("hub:x", "r", {"../../etc/passwd": record}, complete=True))
    assert read_manifest(tmp_path) is None
