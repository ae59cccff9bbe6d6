"""Documents of one material in one phase, and their quantities."""
