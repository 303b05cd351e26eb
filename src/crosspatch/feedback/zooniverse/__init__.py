"""Zooniverse by its programs' entrance (the Panoptes API): exports in, subjects out."""
