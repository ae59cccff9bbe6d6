"""Where results are kept and how they are found again."""
