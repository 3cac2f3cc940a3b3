"""The most frequent activities of an event log, as an own workload of Lodestream."""
