"""Reports: what earlier runs found, as documents that can be sent on.

`model` is a document without a format; `mined`, `prepared`, `compared` and `other` write its sections from a run's
results; `pdf`, `slides`, `page`, `tables`, `workbook` and `data` put it into a format; `phases` are the run's steps.
"""
