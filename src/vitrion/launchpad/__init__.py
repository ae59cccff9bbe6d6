"""Flows on a FireWorks launchpad: submit, status, repair, configuration files."""
