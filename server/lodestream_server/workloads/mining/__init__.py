"""Process mining: an event log goes in; a validated log, a process map, figures and reports come out. Loaded in worker
processes only."""
