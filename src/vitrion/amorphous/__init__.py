"""Glasses: pack, melt, quench, characterize."""
