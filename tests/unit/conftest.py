"""Settings of the property tests: no deadline an example, because a busy machine is no fault of the code."""

from hypothesis import settings

settings.register_profile("unit", deadline=None, print_blob=True)
settings.load_profile("unit")
