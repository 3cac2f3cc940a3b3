"""Data to try Lodestream with: generated, deterministic, and with the truth beside it."""
