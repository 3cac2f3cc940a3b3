"""The facade: every documented path, payload and word, in front of a gRPC channel that somebody else opened.

Called by the composition roots of both servers and by the command line. It is an ordinary gRPC client: it holds no
business rule and formats nothing per endpoint; `openapi.yaml`, generated from the protos, says what there is.
"""
