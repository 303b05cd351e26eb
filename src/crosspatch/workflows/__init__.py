"""One file a command: each composes the rooms, takes paths, and gives back a handle."""
