"""The outside world, translated both ways. Channels know the desk and never each other."""
