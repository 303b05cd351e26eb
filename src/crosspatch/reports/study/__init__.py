"""The report of a study: the answer first, then everything it rests on."""
