"""Where the desk keeps things: schema, transactions, outbox, arrivals, attachments."""
