"""Settings of Hypothesis: the same examples every time, however busy the machine is."""

from hypothesis import settings

settings.register_profile("ours", derandomize=True, deadline=None)
settings.load_profile("ours")
