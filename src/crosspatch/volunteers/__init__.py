"""Volunteers' outlines: read from exports, cleaned, filled, agreed on, simulated."""
