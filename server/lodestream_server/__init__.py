"""The Lodestream server: runs, store, engine, workers, workloads and the gRPC services over them."""
