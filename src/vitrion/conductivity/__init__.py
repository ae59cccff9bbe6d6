"""From a structure to its conductivity over temperature."""
