"""The widget over HTTP: its script, its panel, questions from the outbox of an offline browser, files both ways."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from aiohttp import BodyPartReader, web

from channels.chat import wire
from channels.chat.namespace import Connected, VisitorNamespace, described, question
from channels.chat.rates import Buckets, TooMuch
from channels.chat.settings import ChatSettings, ChatSite
from channels.chat.tokens import Tokens
from inbox import visitors
from inbox.clock import Clock
from inbox.errors import BadInput, InboxError, NotAllowed, NotFound
from inbox.store import attachments
from inbox.store.attachments import AttachmentFolder, Stored
from inbox.store.database import Database
from inbox.words import N_, SOURCE_LANGUAGE, Words

MAX_QUESTION_BYTES = 60_000
QUESTION_WITHIN_SECONDS = 20
UPLOADS_AT_ONCE = 6
"""From one network address."""
UPLOAD_WITHIN_SECONDS = 300
_STATUS = {"not_found": 404, "not_allowed": 403, "rate_limited": 429, "store_busy": 503}
_HOST = re.compile(r"[A-Za-z0-9._-]+(?::\d+)?|\[[0-9a-fA-F:.]+\](?::\d+)?")
_SAID = re.compile(r"""\bt\(\s*"((?:[^"\\]|\\.)*)\"""")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RenderPanel = Callable[[str, Mapping[str, Any]], str]
"""Makes the panel's page: language and values in, HTML out."""


class WidgetHttp:
    def __init__(
        self,
        db: Database,
        clock: Clock,
        settings: ChatSettings,
        tokens: Tokens,
        words: Words,
        folder: AttachmentFolder,
        namespace: VisitorNamespace,
        *,
        loader: str,
        panel_scripts: str,
        render_panel: RenderPanel,
        remote_of: Callable[[web.Request], str],
    ) -> None:
        self._db, self._clock, self._settings, self._tokens, self._words = db, clock, settings, tokens, words
        self._folder, self._namespace, self._render_panel = folder, namespace, render_panel
        self._remote_of = remote_of
        self._questions = Buckets(clock, settings.questions_per_minute)
        self._uploads = Buckets(clock, settings.uploads_per_minute)
        self._uploading: Counter[str] = Counter()  # from which address how many files are on their way
        self._loader = _without_comments(_with_words(loader, words)).encode()
        self._loader_gzip = gzip.compress(self._loader, 9, mtime=0)
        self._panel_keys = _keys(panel_scripts)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/widget/loader.js", self.loader),
            web.get("/widget/panel", self.panel),
            web.get("/widget/files/{signed}", self.file),
            web.post("/widget/api/question", self._open_to_sites(self.question)),
            web.options("/widget/api/question", self._open_to_sites(self._preflight)),
            web.post("/widget/api/attachments", self._open_to_sites(self.attach)),
            web.options("/widget/api/attachments", self._open_to_sites(self._preflight)),
        ]

    # --- script and panel -------------------------------------------------------------------------------------------

    async def loader(self, request: web.Request) -> web.Response:
        headers = {
            "Content-Type": "text/javascript; charset=utf-8",
            "Cache-Control": "public, max-age=600",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Vary": "Accept-Encoding",
        }
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=self._loader_gzip, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=self._loader, headers=headers)

    async def panel(self, request: web.Request) -> web.Response:
        """The page inside the frame. It may be framed, and spoken to, by the site's own origins only."""
        site = self._settings.site(request.query.get("site"))
        host = request.query.get("o", "")
        if site is None or host not in site.origins:
            raise NotFound("page")
        language = self._words.choose(site.language, request.query.get("l"), request.headers.get("Accept-Language"))
        html = self._render_panel(
            language,
            {
                "site": site,
                "page": {
                    "site": site.key,
                    "host": host,
                    "language": language,
                    "name": site.name,
                    "greeting": site.greeting,
                    "email": site.email,
                    "phone": site.phone,
                    "privacy": site.privacy_url,
                    "max_text": wire.MAX_TEXT_CHARS,
                    "max_file": self._folder.max_bytes,
                    "words": self._panel_words(language),
                },
            },
        )
        scheme = request.headers.get("X-Forwarded-Proto", request.scheme).split(",")[0].strip()
        sockets = f" {'wss' if scheme == 'https' else 'ws'}://{request.host}" if _HOST.fullmatch(request.host) else ""
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            f"connect-src 'self'{sockets}; base-uri 'none'; form-action 'none'; "
            f"require-trusted-types-for 'script'; frame-ancestors {' '.join(site.origins)}"
        )
        return web.Response(
            text=html,
            content_type="text/html",
            headers={
                "Content-Security-Policy": policy,
                "Cross-Origin-Resource-Policy": "cross-origin",
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "no-cache",
                "Vary": "Accept-Language",
            },
        )

    def _panel_words(self, language: str) -> dict[str, Any]:
        catalogue = self._words.catalogue(language)
        return {key: catalogue[key] for key in self._panel_keys if catalogue.get(key)}

    # --- questions and files ----------------------------------------------------------------------------------------

    async def question(self, request: web.Request, site: ChatSite) -> web.Response:
        """A question with a way to answer it. The same id again changes nothing and is answered the same."""
        self._questions.take(self._remote_of(request))
        body = await _body(request)
        if body is None:
            raise BadInput("text", N_("This text is longer than %(limit)s characters."), limit=wire.MAX_TEXT_CHARS)
        try:
            data = wire.fields(json.loads(body))
        except (ValueError, RecursionError):
            raise BadInput("data", N_("This is not valid JSON.")) from None
        key = wire.client_id(data)
        visitor = self._tokens.visitor(data.get("token"), site.key) or self._tokens.visitor_of_question(site.key, key)
        window = Connected(visitor, site, self._language(request, site), "", "")
        incoming, number = question(self._namespace, window, data)
        now = self._clock.now()
        if number is None:
            received = await self._db.write(visitors.write, visitor, incoming, now=now)
        else:
            received = await self._db.write(visitors.ask_callback, visitor, incoming, number, None, now=now)
        return _json(
            {
                "ok": True,
                "reference": str(received.conversation_id),
                "duplicate": received.duplicate,
                "token": self._tokens.sign(visitor, site.key),
            }
        )

    async def attach(self, request: web.Request, site: ChatSite) -> web.Response:
        self._uploads.take(self._remote_of(request))
        visitor = self._tokens.visitor(request.headers.get("X-Visitor-Token"), site.key)
        if visitor is None:
            raise NotAllowed(N_("Open the chat again, then attach the file."))
        if not request.content_type.startswith("multipart/"):
            raise BadInput("file", N_("Send the file as a form."))
        try:
            reader = await request.multipart()
            part = await reader.next()
        except (ValueError, AssertionError):
            part = None
        if not isinstance(part, BodyPartReader) or part.name != "file":
            raise BadInput("file", N_("Send the file as a form."))
        stored = await self._saved(part, self._remote_of(request))
        now = self._clock.now()
        made = await self._db.write(attachments.add, stored, uploaded_by=visitors.uploader(visitor), now=now)
        return _json(
            {
                "ok": True,
                "id": made,
                "name": stored.name,
                "media_type": stored.media_type,
                "size_bytes": stored.size_bytes,
            }
        )

    async def _saved(self, part: BodyPartReader, remote: str) -> Stored:
        """Take a file in. What is on its way lies in memory, so nobody may send many at once or take for ever."""
        if self._uploading[remote] >= UPLOADS_AT_ONCE:
            raise TooMuch
        self._uploading[remote] += 1
        try:
            async with asyncio.timeout(UPLOAD_WITHIN_SECONDS):
                return await self._folder.save(_chunks(part), part.filename or "file")
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        finally:
            self._uploading[remote] -= 1
            if not self._uploading[remote]:
                del self._uploading[remote]

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A file of a conversation, by a link signed for one visitor. Always a download."""
        found = self._tokens.file(request.match_info["signed"])
        if found is None:
            raise NotFound("file")
        visitor, attachment_id = found
        await self._db.read(visitors.file_for, visitor, attachment_id)
        facts = await self._db.read(attachments.get, attachment_id)
        return web.FileResponse(
            self._folder.path(facts.digest),
            headers={
                "Content-Type": facts.media_type,
                "Content-Disposition": _download(facts.name),
                "Content-Security-Policy": "sandbox; default-src 'none'",
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "private, no-store",
                "Cross-Origin-Resource-Policy": "same-origin",
            },
        )

    # --- who may ask ------------------------------------------------------------------------------------------------

    async def _preflight(self, request: web.Request, site: ChatSite) -> web.Response:
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": "POST",
                "Access-Control-Allow-Headers": "Content-Type, X-Visitor-Token",
                "Access-Control-Max-Age": "600",
            },
        )

    def _open_to_sites(self, handler: Callable[[web.Request, ChatSite], Awaitable[web.Response]]) -> Handler:
        """Let pages of the named site in, and the panel itself; answer failures in a shape they may read."""

        @wraps(handler)
        async def checked(request: web.Request) -> web.StreamResponse:
            origin = request.headers.get("Origin", "")
            site = self._settings.site(request.query.get("site"))
            own = urlsplit(origin).netloc == request.host
            allowed = site is not None and (not origin or own or origin in site.origins)
            try:
                if site is None or not allowed:
                    raise NotAllowed(N_("This website is not known here."))
                response = await handler(request, site)
            except InboxError as error:
                language = self._language(request, site)
                said = described(self._words, language, error)
                said["code"] = said.pop("error")
                response = _json({"error": said}, status=_STATUS.get(error.code, 422))
                if isinstance(error, TooMuch):
                    response.headers["Retry-After"] = "60"
            if allowed and origin and not own:
                response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            return response

        return checked

    def _language(self, request: web.Request, site: ChatSite | None) -> str:
        return self._words.choose(
            site.language if site else None, request.query.get("l"), request.headers.get("Accept-Language")
        )


async def _body(request: web.Request) -> bytes | None:
    """What was sent, or None when it is too much: before it is understood, which would hold up everybody."""
    body = bytearray()
    try:
        async with asyncio.timeout(QUESTION_WITHIN_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_QUESTION_BYTES:
                    return None
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    return bytes(body)


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(65_536):
        yield chunk


def _keys(script: str) -> list[str]:
    """The words a script says: every t("…") in it."""
    return list(dict.fromkeys(json.loads(f'"{said}"') for said in _SAID.findall(script)))


def _with_words(loader: str, words: Words) -> str:
    """The loader speaks before it may ask for anything, so it carries its few words in every language."""
    keys = _keys(loader)
    said = {
        language: {key: words.catalogue(language)[key] for key in keys if words.catalogue(language).get(key)}
        for language in words.languages
        if language != SOURCE_LANGUAGE
    }
    return loader.replace("/* words */ {}", json.dumps(said, ensure_ascii=False, separators=(",", ":")))


def _without_comments(script: str) -> str:
    """Drop indentation and comments that have lines of their own: every visitor of every page pays for each byte."""
    lines = [line.strip() for line in script.splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/**", "*/", "* "))) + "\n"


def _json(data: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.json_response(data, status=status, headers={"Cache-Control": "no-store"})


def _download(name: str) -> str:
    from urllib.parse import quote

    plain = name.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "_").replace("?", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
