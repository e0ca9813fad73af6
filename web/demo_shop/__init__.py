"""A web shop that is not ours: another origin, a strict content policy, and the widget's snippet in its page."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

HERE = Path(__file__).parent


def shop_app(desk_url: str, *, site: str = "shop") -> web.Application:
    """The shop, embedding the widget of the desk at `desk_url` (scheme, host and port) as the site `site`."""
    page = (HERE / "shop.html").read_text(encoding="utf-8").replace("{desk}", desk_url).replace("{site}", site)
    sheet = (HERE / "shop.css").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src {desk_url}; frame-src {desk_url}; connect-src {desk_url}; style-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; "
        "trusted-types 'none'"
    )

    async def show(request: web.Request) -> web.Response:
        return web.Response(
            text=page,
            content_type="text/html",
            headers={"Content-Security-Policy": policy, "Referrer-Policy": "same-origin", "Cache-Control": "no-store"},
        )

    async def style(request: web.Request) -> web.Response:
        return web.Response(text=sheet, content_type="text/css")

    async def icon(request: web.Request) -> web.Response:
        return web.Response(status=204)

    app = web.Application()
    app.add_routes([web.get("/", show), web.get("/shop.css", style), web.get("/favicon.ico", icon)])
    return app
