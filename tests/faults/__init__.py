"""Faults: real processes killed, disks filled, databases stopped. `make faults` runs many rounds of these."""
