"""A configuration is refused by the path of the key, before anything is opened."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from typer.testing import CliRunner

from inbox.clock import SystemClock
from inbox.people import operators
from inbox.store.database import open_database
from inbox.vocabulary import Role
from web.app import Config, load_config
from web.cli import main
from web.config import ConfigError

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


def private_key() -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def problems_of(tmp_path: Path, written: str) -> list[str]:
    path = tmp_path / "config.toml"
    (tmp_path / "broken.pem").write_text("-----BEGIN PRIVATE KEY-----\nbm8ga2V5\n-----END PRIVATE KEY-----")
    path.write_text(written)
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    return refused.value.problems


def keys_of(model: object, at: str = "") -> set[str]:
    fields = getattr(type(model), "model_fields", {})
    return {f"{at}{name}" for name in fields}


def test_the_example_names_every_key_and_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "VUORO_IMAP_PASSWORD",
        "VUORO_SMTP_PASSWORD",
        "VUORO_PBX_SECRET",
        "VUORO_ON_CALL_SECRET",
        "VUORO_GOOGLE_SECRET",
        "VUORO_MICROSOFT_SECRET",
    ):
        monkeypatch.setenv(name, "something long enough")
    monkeypatch.setenv("VUORO_DKIM_KEY", private_key())
    config = load_config(EXAMPLE)
    text = EXAMPLE.read_text()
    tables = [
        config.server, config.store, config.desk, config.security, config.log, config.chat, config.chat.sites[0],
        config.email, config.email.mailboxes[0], config.email.outgoing, config.email.dns, config.email.dkim[0],
        config.phone, config.phone.sources[0],
        config.autoreply, config.email.oauth, config.email.oauth.microsoft,
    ]  # fmt: skip
    missing = [key for table in tables for key in keys_of(table) if key not in text]
    assert missing == []


def test_an_empty_file_is_a_desk_with_defaults(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    config = load_config(tmp_path / "config.toml")
    assert config.store.url == f"sqlite:///{tmp_path / 'var' / 'vuoro.sqlite'}"
    assert config.store.folder == tmp_path / "var"
    assert config.email.keep_folder == tmp_path / "var" / "outgoing-mail"
    assert isinstance(config, Config)


@pytest.mark.parametrize(
    ("written", "begins"),
    [
        ("[server]\nprot = 1", "server.prot: unknown key; did you mean port?"),
        ("[sever]\nport = 1", "sever: unknown key; did you mean server?"),
        ("[server]\nport = 70000", "server.port: "),
        ('[server]\nport = "eighty"', "server.port: "),
        ('[server]\nurl = "support.example.org"', "server.url: write an address such as"),
        ('[store]\nurl = "mysql://host/name"', "store.url: a desk runs on sqlite:/// or postgresql://"),
        ('[store]\nurl = "sqlite://"', "store.url: SQLite needs a file"),
        ('[store]\nredis = "http://host"', "store.redis: write redis://"),
        ('[desk]\nzone = "Helsinki"', "desk.zone: 'Helsinki' is not a time zone"),
        ('[security]\nsession_hours = "3 min"', "security.session_hours: "),
        ("[security]\nsession_minutes = 3", "security.session_minutes: unknown key; did you mean session_hours?"),
        ('[security]\nsecret = "env:NOT_THERE"', "security.secret: the environment has no NOT_THERE"),
        ('[security]\nsecret = "file:not-there"', "security.secret: cannot read not-there"),
        ('[[chat.sites]]\nkey = "shop"', "chat.sites[0].name: must be given"),
        ('[[email.mailboxes]]\nname = "a"\nhost = "h"\nusername = "u"\npassword = { env = "NO" }\n'
         '[email]\naddresses = [{ address = "a@b.example" }]', ""),
        ('[email]\naddresses = [{ address = "nobody" }]', "email.addresses[0].address: "),
        ('[[email.dkim]]\ndomain = "b.example"\nselector = "s"\nkey = "file:broken.pem"',
         "email.dkim[0].key: this is not a private key in PEM"),
        ('[[email.dkim]]\ndomain = "b.example"\nselector = "s"\nkey = "file:not-there.pem"',
         "email.dkim[0].key: cannot read not-there.pem"),
        ('[email.dns]\nnameservers = ["ns.example"]', "email.dns.nameservers: 'ns.example' is not the IP address"),
        ('[email.listener]\nown_networks = ["here"]', "email.listener.own_networks: 'here' is not a network"),
        ('[email.outgoing]\nhost = "h"\nusername = "u"\npassword = { env = "NOT_THERE" }',
         "email.outgoing.password: the environment has no NOT_THERE"),
        ('[[phone.sources]]\nname = "pbx"\nsecret = "short"', "phone.sources[0]: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_path(tmp_path: Path, written: str, begins: str) -> None:
    problems = problems_of(tmp_path, written)
    assert any(problem.startswith(begins) for problem in problems), problems
    assert "Traceback" not in "".join(problems)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, '[server]\nprot = 1\n[desk]\nzone = "x"\n[security]\nsecret = "env:NOT_THERE"')
    assert {problem.partition(":")[0] for problem in problems} == {"server.prot", "desk.zone", "security.secret"}


def test_a_file_that_is_no_toml_says_where(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, "[server\nport = 1")
    assert "config.toml" in problem
    assert "line 1" in problem


def test_a_secret_never_stands_in_a_complaint(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, '[[phone.sources]]\nname = "PBX!"\nsecret = "hunter2"')
    assert "hunter2" not in "".join(problems)


def test_check_config_ends_with_status_two_and_a_list(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[server]\nprot = 1")
    result = CliRunner().invoke(main, ["check-config", "--config", str(path)])
    assert result.exit_code == 2
    assert "server.prot" in result.output
    path.write_text("")
    assert CliRunner().invoke(main, ["check-config", "--config", str(path)]).exit_code == 0


def test_init_writes_a_desk_that_starts_and_never_touches_one_that_exists(tmp_path: Path) -> None:
    config, password = tmp_path / "config.toml", tmp_path / "password"
    password.write_text("first administrator\n")
    command = [
        "init", "--config", str(config), "--email", "amir@desk.test", "--name", "Amir", "--password-file",
        str(password),
    ]  # fmt: skip
    result = subprocess.run(
        [sys.executable, "-m", "web.cli", *command], capture_output=True, text=True, timeout=50, check=False
    )
    assert result.returncode == 0, result.stderr + result.stdout
    loaded = load_config(config)
    assert len(loaded.security.secret.get_secret_value()) > 40
    assert "first administrator" not in config.read_text()

    async def administrator() -> Role:
        db = open_database(loaded.store.url, now=SystemClock().now, durable={})
        try:
            [account] = await db.read(operators.accounts)
            return account.role
        finally:
            await db.close()

    assert asyncio.run(administrator()) is Role.ADMINISTRATOR
    before = config.read_text()
    again = subprocess.run(
        [sys.executable, "-m", "web.cli", *command], capture_output=True, text=True, timeout=50, check=False
    )
    assert again.returncode == 1
    assert "This desk has accounts already" in again.stdout
    assert config.read_text() == before
