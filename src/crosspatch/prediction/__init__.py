"""Prediction: windows over a scene of any size, and the map that a model draws of it."""
