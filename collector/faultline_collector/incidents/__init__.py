"""Real incidents as worlds to replay: one YAML file each, with its sources."""
