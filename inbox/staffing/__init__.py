"""How many people each half-hour needs, how many are planned, and what one more would change."""
