"""Defects of the mobile ion in a crystal or a glass: sites and formation energies."""
