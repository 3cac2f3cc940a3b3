"""What `make` runs on the repository: generators, demonstration, benchmarks. The packages never import it."""
