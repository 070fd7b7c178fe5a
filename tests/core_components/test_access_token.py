"""The access token: kept for its owner alone, never part of the settings or of what is said."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from modules.core_components.access_token import TOKEN_FILE, AccessToken
from modules.core_components.errors import BadInputError
from modules.core_components.settings import load_settings, save_settings

TOKEN = "hf_abcDEF123456"


def test_it_is_kept_replaced_and_removed(tmp_path: Path) -> None:
    token = AccessToken(tmp_path)
    assert (token.saved, token.read(), token.remove()) == (False, None, False)
    token.save(f" {TOKEN}\n")
    assert AccessToken(tmp_path).read() == TOKEN
    token.save("hf_another0001")
    assert (token.read(), token.remove(), token.saved) == ("hf_another0001", True, False)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        AccessToken(tmp_path).save(TOKEN)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / TOKEN_FILE).stat().st_mode) == 0o600


def test_the_settings_know_nothing_of_it(tmp_path: Path) -> None:
    AccessToken(tmp_path).save(TOKEN)
    save_settings(tmp_path, {"language": "it"})
    assert TOKEN not in (tmp_path / "config.json").read_text(encoding="utf-8")
    assert TOKEN not in repr(load_settings(tmp_path))


@pytest.mark.parametrize("given", ["", "short", "two words here", "hf_line\nbreak00", "x" * 300])
def test_what_is_no_token_is_refused_and_not_repeated(tmp_path: Path, given: str) -> None:
    token = AccessToken(tmp_path)
    token.save(TOKEN)
    with pytest.raises(BadInputError) as caught:
        token.save(given)
    assert not given or given not in str(caught.value)
    assert token.read() == TOKEN


def test_a_file_with_something_else_is_no_token(tmp_path: Path) -> None:
    (tmp_path / TOKEN_FILE).write_bytes(b"\xff\xfe")
    assert AccessToken(tmp_path).read() is None
