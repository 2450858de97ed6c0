"""Measures what Jobyard costs, in time and in what AWS bills: `make bench`."""
