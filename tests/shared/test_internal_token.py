"""What the services share is drawn on a laptop, given on a server, and otherwise there is none."""

from pathlib import Path

import pytest

from jornada.runtime.secret_key import internal_token


def test_a_laptop_draws_one_and_keeps_it(tmp_path: Path) -> None:
    drawn = internal_token(None, tmp_path, "local")
    assert drawn is not None and len(drawn) >= 32
    assert internal_token(None, tmp_path, "local") == drawn
    assert (tmp_path / "internal.token").stat().st_mode & 0o777 == 0o600


def test_a_server_that_was_given_none_has_none(tmp_path: Path) -> None:
    assert internal_token(None, tmp_path, "server") is None
    assert not (tmp_path / "internal.token").exists()


@pytest.mark.parametrize("text", [b"", b"short", b"\xff" * 40, b"two words " * 5])
def test_one_that_is_too_short_or_that_no_header_carries_is_refused(tmp_path: Path, text: bytes) -> None:
    given = tmp_path / "token"
    given.write_bytes(text)
    with pytest.raises(ValueError, match="32 ASCII"):
        internal_token(given, tmp_path, "server")
