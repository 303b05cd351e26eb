"""The networks of the paper, their losses, weights from another domain, and model folders."""
