"""Studies: which runs a question needs, doing them once, and the tables that come of it."""
