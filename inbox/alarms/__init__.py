"""Who must hear that somebody waits, and what has become of it."""
