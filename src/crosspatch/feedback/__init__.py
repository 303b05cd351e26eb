"""Feedback: what goes back to people, and how little of it will do."""
