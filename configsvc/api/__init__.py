"""The HTTP API: a blueprint per area; each view parses, calls the service and renders."""
