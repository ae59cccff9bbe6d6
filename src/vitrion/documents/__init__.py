"""The documents that vitrion stores, in emmet-core's manner: one file for each kind."""
