"""Pages: Jinja2 with autoescape, undefined names refused, every word through the catalogue of the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from babel.dates import format_datetime
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from inbox.words import Words
from web.api.json import to_json
from web.static_files import StaticFiles

FOLDER = Path(__file__).parent / "templates"


class Pages:
    """One environment per language, made when first needed."""

    def __init__(self, words: Words, static: StaticFiles, *, desk_name: str, zone: str) -> None:
        self._words, self._static = words, static
        self._environments: dict[str, Environment] = {}
        self._script_words: dict[str, Mapping[str, Any]] = {}
        self._zone = ZoneInfo(zone)
        self._globals: dict[str, Any] = {
            "static": static.url,
            "preloads": static.preloads,
            "desk_name": desk_name,
            "languages": [(code, words.name(code)) for code in words.languages],
        }

    def render(self, language: str, template: str, context: Mapping[str, Any]) -> str:
        return self._environment(language).get_template(template).render({"language": language, **context})

    def script_words(self, language: str) -> Mapping[str, Any]:
        """The part of the catalogue that scripts say."""
        if language not in self._script_words:
            self._script_words[language] = {
                key: value for key, value in self._words.catalogue(language).items() if self._static.is_said(key)
            }
        return self._script_words[language]

    @property
    def version(self) -> str:
        return self._static.version

    def _environment(self, language: str) -> Environment:
        known = self._environments.get(language)
        if known is None:
            known = Environment(
                loader=FileSystemLoader(FOLDER),
                autoescape=select_autoescape(default_for_string=True, default=True),
                undefined=StrictUndefined,
                extensions=["jinja2.ext.i18n"],
                trim_blocks=True,
                lstrip_blocks=True,
            )
            known.policies["ext.i18n.trimmed"] = True
            known.install_gettext_translations(self._words.translations(language), newstyle=True)  # type: ignore[attr-defined]
            known.globals.update(self._globals)
            known.filters["time"] = self._time(language)
            known.filters["page_data"] = page_data
            self._environments[language] = known
        return known

    def _time(self, language: str) -> Callable[[datetime], str]:
        locale = "en_GB" if language == "en" else language

        def shown(moment: datetime) -> str:
            return format_datetime(moment.astimezone(self._zone), "medium", locale=locale)

        return shown


def page_data(value: Any) -> Any:
    """For `<script type="application/json">`: records included, nothing in it can end the element."""
    from jinja2.utils import htmlsafe_json_dumps

    return htmlsafe_json_dumps(to_json(value), separators=(",", ":"), ensure_ascii=False)


def page_response(
    request: web.Request, template: str, context: Mapping[str, Any] | None = None, *, status: int = 200
) -> web.Response:
    """A page for whoever is signed in, or for nobody."""
    from web.keys import CLOCK, LANGUAGE, PAGES, SIGNED_IN
    from web.security import csrf_token

    signed_in = request.get(SIGNED_IN)
    said: dict[str, Any] = {
        "operator": signed_in.operator if signed_in else None,
        "csrf": csrf_token(request) if signed_in else "",
        "path": request.path,
        "now": request.app[CLOCK].now(),
        "field": "",
        "problem": "",
        **(context or {}),
    }
    html = request.app[PAGES].render(request.get(LANGUAGE, "en"), template, said)
    return web.Response(text=html, content_type="text/html", status=status, headers={"Cache-Control": "no-store"})


def script_data(request: web.Request, **more: Any) -> dict[str, Any]:
    """What `<script type="application/json" id="page">` holds on every operator page."""
    from web.keys import LANGUAGE, PAGES, SIGNED_IN
    from web.security import csrf_token

    operator = request[SIGNED_IN].operator
    pages, language = request.app[PAGES], request[LANGUAGE]
    return {
        "csrf": csrf_token(request),
        "operator": {
            "id": operator.id,
            "name": operator.name,
            "role": operator.role,
            "language": operator.language,
            "presence": operator.presence,
            "preferences": operator.preferences,
        },
        "words": pages.script_words(language),
        "language": language,
        "version": pages.version,
        **more,
    }
