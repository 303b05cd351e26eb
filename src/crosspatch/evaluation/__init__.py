"""Evaluation: whole subjects scored, with intervals, beside baselines that see single pixels."""
