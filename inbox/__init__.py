"""The desk: conversations, waits, replies, handoff, people, store. Knows no transport."""
