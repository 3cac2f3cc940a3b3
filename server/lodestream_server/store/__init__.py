"""The store: one SQLite file and the folders beside it. One thread writes, others read, and nobody sees what a
crash could undo."""
