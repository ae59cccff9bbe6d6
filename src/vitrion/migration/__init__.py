"""Hops between sites, their barriers, and how a network of hops percolates."""
