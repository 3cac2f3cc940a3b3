"""What a log teaches: unusual cases, how long an open case will still take, what comes next, and recurring patterns."""
