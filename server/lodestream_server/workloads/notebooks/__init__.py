"""Notebooks as work: a job's notebook run cell by cell in a kernel of its own, and shown as a page.

The kernel is a child of the worker, in its process group, reached through sockets in a private folder; it is killed
with the run, whatever it does. A notebook is arbitrary code with the rights of the server's user: that is why a
setting must turn these jobs on.
"""
