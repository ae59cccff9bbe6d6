"""Flows that a user submits, and the runner that carries them out on one machine."""
