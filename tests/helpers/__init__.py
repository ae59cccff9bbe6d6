"""What several test files share: sample data, small physics, servers and programs."""
