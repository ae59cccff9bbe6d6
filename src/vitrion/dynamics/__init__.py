"""Restartable molecular dynamics and its trajectory file."""
