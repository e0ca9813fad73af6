"""Contacts, addresses, operators and what belongs to them."""
