"""Reports against the ledger."""
