"""From a slow, accurate teacher to a fast student: sample, label, train, validate, and again.

Each stage reads and writes extended XYZ files in a folder and can be started again: what is done
stays done. :mod:`vitrion.distill.makers` wraps the stages as jobs.
"""
