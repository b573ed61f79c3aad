"""What it takes to run a node somewhere: container, units, dashboards, and the sandbox databases."""
