"""Real packets between network namespaces."""
