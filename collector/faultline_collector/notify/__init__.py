"""Notices: what an outage's life makes Faultline tell somebody, from a durable outbox, through notifiers."""
