"""The examination of the installation: packages are tried out, not only imported."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from modules.tools.doctor import Finding, examine


def findings(root: Path) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(root)}


def test_the_packages_of_training_are_tried_out(tmp_path: Path) -> None:
    found = findings(tmp_path)
    for name in ("coqui-tts", "spaCy", "soundfile", "librosa"):
        assert found[name].ok, found[name]
        assert "works" in found[name].found
    assert "torchcodec" in found


@pytest.mark.parametrize(
    ("name", "module", "optional"),
    [
        ("coqui-tts", "TTS.tts.layers.xtts.trainer.gpt_trainer", False),
        ("spaCy", "spacy", False),
        ("soundfile", "soundfile", False),
        ("librosa", "librosa", False),
        ("torchcodec", "torchcodec.decoders", True),
    ],
)
def test_one_that_does_not_work_is_a_finding_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, module: str, optional: bool
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    finding = findings(tmp_path)[name]
    assert not finding.ok
    assert finding.optional is optional
    assert finding.remedy


def test_libraries_that_are_missing_are_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torchcodec says it where FFmpeg's shared libraries are missing: over many lines."""
    from modules.tools import doctor

    def work() -> None:
        raise RuntimeError("Could not load libtorchcodec.\nLikely causes:\n 1. FFmpeg\n")

    (use,) = (use for use in doctor.USES if use.name == "torchcodec")
    monkeypatch.setattr(doctor, "USES", (dataclasses.replace(use, work=work),))
    finding = findings(tmp_path)["torchcodec"]
    assert finding.found == "RuntimeError: Could not load libtorchcodec."
    assert "FFmpeg" in finding.remedy
