"""Readers of trajectories: each turns a file or an object into a stream of frames."""
