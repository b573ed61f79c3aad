"""The migrations of the registry, oldest first."""
