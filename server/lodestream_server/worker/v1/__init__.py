"""Generated from `protos/lodestream_server/worker/v1` by `make protos`; never edited."""
