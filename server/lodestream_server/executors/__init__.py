"""Where runs are worked on: the port that the engine speaks to, and the pool of processes on this machine behind it."""
