"""What operators see of a server: its log, figures and traces of calls, and `lodestream doctor`."""
