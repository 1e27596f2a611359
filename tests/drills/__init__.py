"""Drills: what breaks in production, broken on purpose while acknowledged writes are counted."""
