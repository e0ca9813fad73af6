"""The operators' HTTP interface: one module per subject, all routes gathered here."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web


def routes() -> Iterable[web.AbstractRouteDef]:
    from web.api import (
        attachments,
        callbacks,
        calls,
        conversations,
        entries,
        handoffs,
        queue,
        remote_images,
        reports,
        settings,
        staffing,
        team,
        tray,
        wallboard,
        writing,
    )

    modules = (
        queue,
        conversations,
        writing,
        entries,
        remote_images,
        attachments,
        handoffs,
        callbacks,
        calls,
        team,
        tray,
        settings,
        wallboard,
        staffing,
        reports,
    )
    for module in modules:
        yield from module.routes
