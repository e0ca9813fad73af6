"""The page behind the link by which customers say what they thought of it: one tap, and a sentence if they like."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web

from inbox import ratings
from inbox.errors import BadInput, NotFound
from inbox.ratings import RatingRecord
from inbox.store.transaction import Transaction
from inbox.vocabulary import ConversationId
from inbox.words import N_
from web.api.request import now
from web.keys import DB, RATING_LINKS
from web.pages.forms import fields, shown_again
from web.templating import page_response

routes = web.RouteTableDef()

MARKS = (
    (5, N_("Very good")),
    (4, N_("Good")),
    (3, N_("So-so")),
    (2, N_("Bad")),
    (1, N_("Very bad")),
)


@routes.get("/rate/{token}")
async def ask(request: web.Request) -> web.Response:
    """Changes nothing: mail programs and scanners follow links by themselves."""
    conversation_id = _conversation(request)
    given = await request.app[DB].read(ratings.of_conversation, conversation_id)
    return _kept_secret(page_response(request, "rate.html", _context(request, given)))


@routes.post("/rate/{token}")
async def rate(request: web.Request) -> web.Response:
    conversation_id, said = _conversation(request), await fields(request)
    written = said.get("score", "")
    try:
        score = int(written) if written in {"1", "2", "3", "4", "5"} else 0
        given = await request.app[DB].write(_rated, conversation_id, score, said.get("words"), now=now(request))
    except BadInput as error:
        return _kept_secret(shown_again(request, "rate.html", error, _context(request, None)))
    return _kept_secret(page_response(request, "rate.html", {**_context(request, given), "thanks": True}))


def _rated(
    tx: Transaction, conversation_id: ConversationId, score: int, words: str | None, *, now: datetime
) -> RatingRecord | None:
    ratings.rate(tx, conversation_id, score, words, now=now)
    return ratings.of_conversation(tx.conn, ratings.goes_on(tx, conversation_id))


def _conversation(request: web.Request) -> ConversationId:
    """Raises NotFound for a link that we have not made."""
    found = request.app[RATING_LINKS].read(request.match_info["token"])
    if found is None:
        raise NotFound("page")
    return found


def _context(request: web.Request, given: RatingRecord | None) -> dict[str, object]:
    return {
        "given": given,
        "marks": MARKS,
        "token": request.match_info["token"],
        "longest": ratings.MAX_WORDS,
        "thanks": False,
    }


def _kept_secret(response: web.Response) -> web.Response:
    response.headers["Referrer-Policy"] = "no-referrer"  # the address of this page is a key
    response.headers["Cache-Control"] = "no-store"
    return response
