"""Analysis: a closer look at one side of a process, on a selection of its cases.

`wishes` and `filters` say what is wrong with parameters before any work begins; everything else runs in the worker
process only. Mining's own loading, discovery and performance phases do what they do there, on the selected cases.
"""
