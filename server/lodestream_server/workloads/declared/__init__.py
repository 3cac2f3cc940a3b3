"""What each documented type of work declares: its phases and its parameters. Imports no workload."""
