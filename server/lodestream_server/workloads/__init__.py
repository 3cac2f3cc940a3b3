"""What runs do: workloads as sequences of phases.

Only `catalogue` and `phase` may be imported outside the worker process: the others load the mining libraries.
"""
