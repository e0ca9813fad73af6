"""config.toml: one model per table, and a refusal of everything it does not understand.

Durations carry their unit in the key (`session_hours`), secrets are written `env:NAME` or `file:PATH`. The tables of
the channels are added by `web/app.py`, which alone knows them.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError


class ConfigError(Exception):
    """`problems`: one sentence each, beginning with the path of the key."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("write an address such as https://support.example.org, without a path")
    return value.rstrip("/")


def _store_address(value: str) -> str:
    try:
        url = make_url(value)
    except ArgumentError:
        raise ValueError("write sqlite:///vuoro.sqlite or postgresql://user:password@host/name") from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError(f"a desk runs on sqlite:/// or postgresql://, not on {url.get_backend_name()}")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError("SQLite needs a file: sqlite:///vuoro.sqlite")
    return value


def _redis_address(value: str) -> str:
    if value and urlsplit(value).scheme not in ("redis", "rediss", "unix"):
        raise ValueError("write redis://host:6379/0")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r} is not a time zone; write one such as Europe/Helsinki") from None
    return value


class Table(BaseModel):
    """One table of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerTable(Table):
    address: str = "127.0.0.1"
    port: int = Field(default=8800, ge=0, le=65535)
    url: Annotated[str, AfterValidator(_web_address)] = "http://127.0.0.1:8800"
    trusted_proxies: tuple[str, ...] = ()


class StoreTable(Table):
    url: Annotated[str, AfterValidator(_store_address)] = "sqlite:///var/vuoro.sqlite"
    folder: Path = Path("var")
    redis: Annotated[str, AfterValidator(_redis_address)] = ""


class DeskTable(Table):
    name: str = Field(default="Support", min_length=1, max_length=100)
    language: str = Field(default="en", pattern="^[a-z]{2,3}$")
    zone: Annotated[str, AfterValidator(_zone)] = "Europe/Helsinki"


class SecurityTable(Table):
    secret: SecretStr = SecretStr("")
    session_hours: int = Field(default=24 * 14, ge=1, le=24 * 365)
    upload_mb: int = Field(default=25, ge=1, le=500)
    sign_in_tries_per_minute: int = Field(default=10, ge=1, le=10_000)


class LogTable(Table):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "text"


class DeskConfig(Table):
    """What every desk has, whatever its channels."""

    server: ServerTable = ServerTable()
    store: StoreTable = StoreTable()
    desk: DeskTable = DeskTable()
    security: SecurityTable = SecurityTable()
    log: LogTable = LogTable()

    @property
    def https(self) -> bool:
        return self.server.url.startswith("https://")


C = TypeVar("C", bound=DeskConfig)


def read_config(path: Path, model: type[C]) -> C:
    """Raises ConfigError naming every wrong key, value, unit and missing secret at once."""
    try:
        with path.open("rb") as file:
            written = tomllib.load(file)
    except FileNotFoundError:
        raise ConfigError([f"{path}: there is no such file; `vuoro init` writes one"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: {error}"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from None
    problems: list[str] = []
    resolved = _with_secrets(written, "", path.parent, problems)
    try:
        config = model.model_validate(resolved)
    except ValidationError as error:
        named = tuple(problem.partition(":")[0] for problem in problems)
        problems += [text for text in _sentences(error, model) if not (named and text.startswith(named))]
        raise ConfigError(problems) from None
    if problems:
        raise ConfigError(problems)
    return _anchored(config, path.parent)


_MISSING = "?" * 32
"""Stands in for a secret that is not there, so that only its absence is complained about."""


def _with_secrets(value: Any, at: str, folder: Path, problems: list[str]) -> Any:
    """Secrets are written `env:NAME` or `file:PATH`; `{ env = "NAME" }` and `{ file = "PATH" }` say the same."""
    if isinstance(value, Mapping):
        if len(value) == 1:
            [(kind, name)] = value.items()
            if kind in ("env", "file") and isinstance(name, str):
                return {"value": _secret(kind, name, at, folder, problems)}
        return {k: _with_secrets(v, f"{at}.{k}" if at else k, folder, problems) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_secrets(v, f"{at}[{n}]", folder, problems) for n, v in enumerate(value)]
    if isinstance(value, str):
        kind, colon, name = value.partition(":")
        if colon and kind in ("env", "file"):
            return _secret(kind, name, at, folder, problems)
    return value


def _secret(kind: str, name: str, at: str, folder: Path, problems: list[str]) -> str:
    if kind == "env":
        found = os.environ.get(name, "")
        if not found:
            problems.append(f"{at}: the environment has no {name}")
    else:
        try:
            found = (folder / name).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{at}: cannot read {name}: {getattr(error, 'strerror', None) or error}")
            found = ""
        else:
            if not found:
                problems.append(f"{at}: {name} is empty")
    return found or _MISSING


def _sentences(error: ValidationError, model: type[BaseModel]) -> list[str]:
    sentences = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        at = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in problem["loc"]).lstrip(".")
        if problem["type"] == "extra_forbidden":
            known = _known_keys(model, problem["loc"][:-1])
            near = difflib.get_close_matches(str(problem["loc"][-1]), known, 1, 0.6)
            hint = f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(known)}" if known else ""
            sentences.append(f"{at}: unknown key{hint}")
        elif problem["type"] == "missing":
            sentences.append(f"{at}: must be given")
        else:
            sentences.append(f"{at}: {problem['msg'].removeprefix('Value error, ')}")
    return sentences


def _known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys of the table at `path`, as far as the models say."""
    current: Any = model
    for part in path:
        if isinstance(part, int):
            continue
        field = getattr(current, "model_fields", {}).get(part)
        if field is None:
            return []
        current = field.annotation
        for inner in getattr(current, "__args__", ()):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                current = inner
                break
    return sorted(getattr(current, "model_fields", {}))


def _anchored(config: C, folder: Path) -> C:
    """Relative paths count from the folder of the configuration, wherever the program was started."""
    url = make_url(config.store.url)
    if url.get_backend_name() == "sqlite" and url.database is not None:
        url = url.set(database=str((folder / url.database).absolute()))
    store = config.store.model_copy(
        update={
            "url": url.render_as_string(hide_password=False),
            "folder": (folder / config.store.folder).absolute(),
        }
    )
    return config.model_copy(update={"store": store})
