"""The child process: takes a run over a socketpair, works through its phases, says what happens, leaves checkpoints
behind."""
