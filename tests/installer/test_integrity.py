from __future__ import annotations

from pathlib import Path

import pytest

from installer.integrity import drop_broken_distributions


@pytest.fixture
def site_packages(tmp_path: Path) -> Path:
    """A folder with one package that is whole."""
    put_package(tmp_path, "whole")
    return tmp_path


def put_package(site_packages: Path, name: str) -> Path:
    module = site_packages / f"{name}.py"
    module.write_text("value = 1\n")
    dist_info = site_packages / f"{name}-1.0.dist-info"
    dist_info.mkdir()
    (dist_info / "INSTALLER").write_text("uv\n")
    (dist_info / "RECORD").write_text(
        f"{name}.py,sha256=abc,10\n__pycache__/{name}.cpython-311.pyc,,\n"
        f"{name}-1.0.dist-info/RECORD,,\n"
    )
    return dist_info


def test_whole_packages_stay(site_packages: Path) -> None:
    assert drop_broken_distributions(site_packages) == []
    assert (site_packages / "whole-1.0.dist-info").is_dir()


@pytest.mark.parametrize("last_file", ["RECORD", "INSTALLER"])
def test_a_package_whose_last_files_were_never_written(site_packages: Path, last_file: str) -> None:
    dist_info = put_package(site_packages, "half")
    (dist_info / last_file).unlink()
    assert drop_broken_distributions(site_packages) == ["half"]
    assert not dist_info.exists()


def test_a_file_that_is_missing_or_cut_short(site_packages: Path) -> None:
    put_package(site_packages, "cut")
    (site_packages / "cut.py").write_text("val")
    put_package(site_packages, "gone")
    (site_packages / "gone.py").unlink()
    assert drop_broken_distributions(site_packages) == ["cut", "gone"]


def test_an_empty_record_is_no_record(site_packages: Path) -> None:
    (put_package(site_packages, "empty") / "RECORD").write_bytes(b"")
    assert drop_broken_distributions(site_packages) == ["empty"]


def test_files_set_aside_on_purpose_are_not_missing(site_packages: Path) -> None:
    put_package(site_packages, "aside")
    (site_packages / "aside.py").rename(site_packages / "aside.py.aside")
    assert drop_broken_distributions(site_packages) == []


def test_what_pip_was_about_to_replace_is_removed(site_packages: Path) -> None:
    (site_packages / "~orch").mkdir()
    (site_packages / "~orch" / "x.py").write_text("")
    drop_broken_distributions(site_packages)
    assert not (site_packages / "~orch").exists()
