"""Figures of the report, described from documents."""
