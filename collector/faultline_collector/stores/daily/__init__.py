"""A DuckDB file with one table of results a day."""
