"""What any program needs: cores, atomic files and locks, progress, cached results, a runner."""
