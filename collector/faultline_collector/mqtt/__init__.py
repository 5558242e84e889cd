"""The second carrier: agents and events by way of an MQTT 5 broker."""
