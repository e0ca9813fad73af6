"""Who may report calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr, ValidationError

from channels.phone.settings import PhoneSettings, PhoneSource
from channels.phone.signature import is_proved, is_signed, sign

NOW = datetime(2026, 3, 10, 10, tzinfo=UTC)
SECRET, OLD, TOKEN = "a-secret-of-the-exchange", "the-secret-before-this", "a-token-for-old-boxes"
BODY = b'{"version":1}'
BOTH = PhoneSource(name="pbx", secret=SecretStr(SECRET), old_secret=SecretStr(OLD), token=SecretStr(TOKEN))


def test_the_signature_is_the_published_one() -> None:
    """Computed with: printf '1773136800.{"version":1}' | openssl dgst -sha256 -hmac a-secret-of-the-exchange"""
    assert sign(SECRET, BODY, now=NOW) == (
        "t=1773136800,v1=79b2b96fb4075f8eec2e2ff555c4341940d47e29ab7d1c6986cca37e02943f72"
    )


def test_a_signature_fits_its_body_secret_and_time() -> None:
    header = sign(SECRET, BODY, now=NOW)
    assert is_signed(header, BODY, [SECRET], now=NOW)
    assert not is_signed(header, BODY + b" ", [SECRET], now=NOW)
    assert not is_signed(header, BODY, [OLD], now=NOW)
    assert not is_signed(header, BODY, [], now=NOW)


@pytest.mark.parametrize("away", [timedelta(seconds=299), timedelta(seconds=-299)])
def test_clocks_may_differ_by_five_minutes(away: timedelta) -> None:
    assert is_signed(sign(SECRET, BODY, now=NOW + away), BODY, [SECRET], now=NOW)


@pytest.mark.parametrize("away", [timedelta(seconds=301), timedelta(seconds=-302), timedelta(days=-9000)])
def test_an_old_signature_is_worth_nothing(away: timedelta) -> None:
    assert not is_signed(sign(SECRET, BODY, now=NOW + away), BODY, [SECRET], now=NOW)


def test_two_secrets_are_valid_while_one_is_changed() -> None:
    for secret in (SECRET, OLD):
        assert is_proved(BOTH, {"X-Signature": sign(secret, BODY, now=NOW)}, BODY, now=NOW)
    two = sign("unknown-to-us-altogether", BODY, now=NOW) + "," + sign(SECRET, BODY, now=NOW).partition(",")[2]
    assert is_proved(BOTH, {"X-Signature": two}, BODY, now=NOW)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1773136800",
        "v1=00",
        "t=,v1=",
        "t=1773136800,v1=zz",
        "t=1773136800,v0=" + "0" * 64,
        "t=" + "9" * 400 + ",v1=" + "0" * 64,
        "t=-1,v1=" + "0" * 64,
        "t=1773136800,v1=" + "ä" * 64,
    ],
)
def test_a_malformed_signature_is_refused(header: str) -> None:
    assert not is_signed(header, BODY, [SECRET], now=NOW)


def test_a_box_that_cannot_sign_sends_a_token() -> None:
    assert is_proved(BOTH, {"Authorization": f"Bearer {TOKEN}"}, BODY, now=NOW)
    assert is_proved(BOTH, {"Authorization": f"bearer  {TOKEN} "}, BODY, now=NOW)
    for wrong in ("", TOKEN, f"Basic {TOKEN}", "Bearer ", "Bearer ä", f"Bearer {TOKEN}x"):
        assert not is_proved(BOTH, {"Authorization": wrong}, BODY, now=NOW)


def test_a_wrong_signature_is_not_mended_by_a_token() -> None:
    assert not is_proved(BOTH, {"X-Signature": "t=1,v1=0", "Authorization": f"Bearer {TOKEN}"}, BODY, now=NOW)


def test_a_source_without_a_token_takes_none() -> None:
    signs = PhoneSource(name="pbx", secret=SecretStr(SECRET))
    assert not is_proved(signs, {"Authorization": "Bearer "}, BODY, now=NOW)
    assert not is_proved(signs, {}, BODY, now=NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "pbx"},
        {"name": "pbx", "secret": "short"},
        {"name": "PBX 1", "secret": SECRET},
        {"name": "pbx", "secret": SECRET, "default_country": "XX"},
        {"name": "pbx", "secret": SECRET, "zone": "Mars/Base"},
        {"name": "pbx", "secret": SECRET, "colour": "red"},
        {"name": "pbx", "secret": "", "old_secret": OLD},
    ],
)
def test_a_source_that_cannot_work_is_refused_at_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        PhoneSource.model_validate(wrong)


def test_two_sources_cannot_share_a_name() -> None:
    with pytest.raises(ValidationError, match="same name"):
        PhoneSettings.model_validate({"sources": [{"name": "pbx", "secret": SECRET}, {"name": "pbx", "token": TOKEN}]})
