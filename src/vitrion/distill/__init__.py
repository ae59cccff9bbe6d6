"""Distill a slow, accurate teacher into a fast student: sample, label, train, validate.

Each stage reads and writes extended XYZ files in a folder and is restartable: finished work is
kept. :mod:`vitrion.distill.makers` wraps the stages as jobs.
"""
