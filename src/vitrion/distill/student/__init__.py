"""Files of students."""
