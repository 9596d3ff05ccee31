"""Training through skorch: the only room that imports it."""
