"""How Hypothesis runs: without a deadline, since machines differ; the same examples wherever CI is.

A run of CI judges a change and not the luck of the day; at home every run looks for new examples.
"""

import os

from hypothesis import settings

settings.register_profile("home", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "home")
