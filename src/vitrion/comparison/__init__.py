"""Two materials side by side, and the cautions about each: data that others show."""
