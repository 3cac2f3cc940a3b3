"""The gRPC door: who may come in, what is understood, how refusals look, and the listening socket itself."""
