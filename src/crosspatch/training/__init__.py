"""Training: one step, the loop around it, checkpoints, alarms, weight averaging."""
