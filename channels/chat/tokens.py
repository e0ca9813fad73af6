"""Signed, expiring names of visitors. Whoever holds the token is the visitor; nobody can make one."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any
from uuid import uuid4

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from inbox.clock import Clock
from inbox.vocabulary import AttachmentId

MAX_TOKEN_CHARS = 400
FILE_LINK_DAYS = 7
_VISITOR = re.compile(r"[0-9a-f]{32}")


class Tokens:
    def __init__(self, secret: str, clock: Clock, *, days: int) -> None:
        class DeskSigner(TimestampSigner):
            def get_timestamp(self) -> int:
                return int(clock.now().timestamp())

        self._secret, self._seconds = secret, days * 86_400
        options: dict[str, Any] = {"signer": DeskSigner, "signer_kwargs": {"digest_method": hashlib.sha256}}
        self._visitors = URLSafeTimedSerializer(secret, salt="chat visitor", **options)
        self._files = URLSafeTimedSerializer(secret, salt="chat file", **options)

    def new_visitor(self) -> str:
        return uuid4().hex

    def visitor_of_question(self, site: str, question: str) -> str:
        """Who asked a question without a token: sent again, it is still from the same visitor."""
        key = hashlib.sha256(f"chat question\n{self._secret}".encode()).digest()
        return hmac.new(key, f"{site}\n{question}".encode(), hashlib.sha256).hexdigest()[:32]

    def sign(self, visitor: str, site: str) -> str:
        return str(self._visitors.dumps([visitor, site]))

    def visitor(self, token: object, site: str) -> str | None:
        """The visitor a token names; None for a forged or expired one, and for another site's."""
        if not isinstance(token, str) or not 0 < len(token) <= MAX_TOKEN_CHARS:
            return None
        try:
            found = self._visitors.loads(token, max_age=self._seconds)
        except (BadData, ValueError, UnicodeError):
            return None
        if not isinstance(found, list) or len(found) != 2 or found[1] != site:
            return None
        visitor = found[0]
        return visitor if isinstance(visitor, str) and _VISITOR.fullmatch(visitor) else None

    def sign_file(self, visitor: str, attachment: AttachmentId) -> str:
        return str(self._files.dumps([visitor, attachment]))

    def file(self, signed: str) -> tuple[str, AttachmentId] | None:
        """Who may have which file; None for a forged or expired link."""
        try:
            found = self._files.loads(signed[:MAX_TOKEN_CHARS], max_age=FILE_LINK_DAYS * 86_400)
        except (BadData, ValueError, UnicodeError):
            return None
        return (found[0], AttachmentId(found[1])) if isinstance(found, list) and len(found) == 2 else None
