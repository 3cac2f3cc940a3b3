"""Generates `src/lodestream/rest/openapi.yaml` (OpenAPI 3.0.4) from the descriptors, their comments and their options.

`make protos` runs it after the stubs. Nothing of the document is written by hand: a path, a limit, a word or a sentence
changes in the `.proto`, and a test fails while the committed file does not say so.
"""
