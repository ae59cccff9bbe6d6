"""Infrastructure: cores, atomic file writes and locks, progress, result cache, local runner."""
