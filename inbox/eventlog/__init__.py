"""The history of a desk as lines of JSON, in and out: see docs/event-log.md."""
