"""Pages with forms and text, and the frames of the live screens. All work over plain HTTP."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web


def routes() -> Iterable[web.AbstractRouteDef]:
    from web.pages import (
        account,
        alarms,
        desk,
        hours,
        mail,
        mail_check,
        mailboxes,
        operators,
        rating,
        reports,
        service,
        shifts,
        sign_in,
        staffing,
        teams,
        texts,
        tray,
        wallboard,
    )

    for module in (
        service,
        sign_in,
        desk,
        account,
        alarms,
        hours,
        texts,
        mail,
        mail_check,
        mailboxes,
        operators,
        rating,
        teams,
        tray,
        wallboard,
        staffing,
        shifts,
        reports,
    ):
        yield from module.routes
