"""Scripts, styles and pictures: read once, served from memory under a path that names their content.

The path changes with the content, so browsers may keep them for ever; relative imports inherit it unchanged.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

_IMPORT = re.compile(r"""^\s*(?:import|export)\b[^"'()]*?["'](\.{1,2}/[^"']+)["']""", re.MULTILINE)
_COMPRESSED = {".js", ".css", ".svg", ".html", ".json", ".txt", ".map", ".webmanifest"}
_LEFT_OUT = {".ts", ".py"}
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    compressed: bytes | None
    media_type: str


class StaticFiles:
    """`version` is made from all files, so that a page never mixes two releases."""

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, _File] = {}
        self._texts: dict[str, str] = {}
        digest = hashlib.sha256()
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.suffix in _LEFT_OUT:
                continue
            name, body = path.relative_to(folder).as_posix(), path.read_bytes()
            digest.update(name.encode() + b"\0" + body)
            smaller = gzip.compress(body, 9, mtime=0) if path.suffix in _COMPRESSED and len(body) > 400 else None
            kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            self._files[name] = _File(body, smaller, kind)
            if path.suffix == ".js":
                self._texts[name] = body.decode()
        self.version = digest.hexdigest()[:12]
        self._said = "\n".join(self._texts.values())

    def url(self, name: str) -> str:
        """The address of a file. Raises KeyError for one that is not there: a template names it wrongly."""
        if name not in self._files:
            raise KeyError(f"no static file {name}")
        return f"/static/{self.version}/{name}"

    def text(self, name: str) -> str:
        """A script's source. Raises KeyError."""
        return self._texts[name]

    def preloads(self, entry: str) -> list[str]:
        """Addresses of a module and all it imports, so that a browser need not discover them one by one."""
        found: dict[str, None] = {}
        waiting = [entry]
        while waiting:
            name = waiting.pop(0)
            if name in found or name not in self._texts:
                continue
            found[name] = None
            folder = posixpath.dirname(name)
            waiting += [posixpath.normpath(posixpath.join(folder, i)) for i in _IMPORT.findall(self._texts[name])]
        return [self.url(name) for name in found]

    def is_said(self, message: str) -> bool:
        """Whether a script has this word of the catalogue in its source."""
        return message in self._said or message.replace('"', '\\"') in self._said

    async def serve(self, request: web.Request) -> web.Response:
        file = self._files.get(request.match_info["name"])
        if file is None:
            raise web.HTTPNotFound
        current = request.match_info["version"] == self.version
        headers = {
            "Content-Type": file.media_type,
            "Cache-Control": "public, max-age=31536000, immutable" if current else "no-cache",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        if file.compressed is not None:
            headers["Vary"] = "Accept-Encoding"
            if "gzip" in request.headers.get("Accept-Encoding", ""):
                return web.Response(body=file.compressed, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=file.body, headers=headers)
