"""The wait clock: opening hours, ledger, estimate, figures."""
