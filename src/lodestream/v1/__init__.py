"""Generated from `protos/lodestream/v1` by `make protos`; never edited."""
