"""What one mail may cost. Beyond each limit the mail is shown truncated, with a note; nothing is refused for it."""

from __future__ import annotations

MAIL_BYTES = 50_000_000
"""Above this a mailbox watcher takes headers and text only."""

NESTING = 50
PARTS = 1_000
HEADER_BLOCK_BYTES = 1_000_000
HEADER_FIELD_BYTES = 100_000
HEADER_FIELDS = 2_000
RECIPIENTS = 500
REFERENCES = 200
ADDRESS_CHARACTERS = 320
MESSAGE_ID_CHARACTERS = 998
SUBJECT_CHARACTERS = 990
TEXT_CHARACTERS = 300_000
HTML_BYTES = 1_000_000
"""Above this, HTML is shown as its text: cleaners need quadratic time on hostile input (RFC documents none)."""
HTML_NESTING = 250
HTML_ATTRIBUTES = 100
HTML_TAGS = 60_000
HTML_ENTITIES = 100_000
FOLDING_CHARACTERS = 100_000
"""Reply text is separated from quoted history within this much of a mail's beginning."""
ATTACHMENTS = 200
FILE_NAME_BYTES = 200
