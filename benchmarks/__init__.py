"""Benchmarks, each beside a floor that does the same work with as little code as possible: `make bench`."""
