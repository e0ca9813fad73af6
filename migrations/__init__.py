"""The schema's history: numbered, one sentence each, importing no application code."""
