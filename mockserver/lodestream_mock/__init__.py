"""The Lodestream mock server: the documentation, replayed."""
