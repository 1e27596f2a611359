"""An upgrade from the last release under load."""
