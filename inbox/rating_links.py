"""Links by which customers say what they thought of a conversation, without signing in.

A link names the conversation and is signed: it works for whoever was given it and cannot be guessed. It does not
run out: the last mark counts, whenever it comes.
"""

from __future__ import annotations

import base64
import hmac
import re

from inbox.vocabulary import ConversationId

PATH = "/rate/"
_TOKEN = re.compile(r"([1-9][0-9]{0,17})\.([A-Za-z0-9_-]{22})")
_MAC_BYTES = 16


class RatingLinks:
    """`url` is the desk's own, without a slash at the end."""

    def __init__(self, secret: str, url: str) -> None:
        self._key, self._url = hmac.digest(secret.encode(), b"rate", "sha256"), url.rstrip("/")

    def token(self, conversation_id: ConversationId) -> str:
        return f"{conversation_id}.{self._mac(str(conversation_id))}"

    def link(self, conversation_id: ConversationId) -> str:
        return f"{self._url}{PATH}{self.token(conversation_id)}"

    def read(self, token: str) -> ConversationId | None:
        """None for a link that we have not made."""
        found = _TOKEN.fullmatch(token)
        if found is None or not hmac.compare_digest(found[2], self._mac(found[1])):
            return None
        return ConversationId(int(found[1]))

    def _mac(self, written: str) -> str:
        mac = hmac.digest(self._key, written.encode(), "sha256")[:_MAC_BYTES]
        return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
