"""Generated from `protos/lodestream_mock/v1` by `make protos`; never edited."""
