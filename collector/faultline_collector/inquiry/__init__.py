"""Asking agents beyond their schedule: probes now, and proof at the moment of failure."""
