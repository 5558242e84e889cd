"""Made-up worlds: a fleet, its noise and what truly breaks in it, as results that a collector receives."""
