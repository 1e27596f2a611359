"""Settings of the tests that draw their examples."""

import hypothesis
from hypothesis import HealthCheck

# On a busy machine, drawing an example or checking it can take a second.
hypothesis.settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.settings.load_profile("busy")
