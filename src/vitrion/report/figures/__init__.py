"""What each figure shows, described from documents: one file for each part of the science."""
