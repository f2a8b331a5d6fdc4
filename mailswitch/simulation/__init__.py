"""A simulated Plesk and a simulated public DNS, for the demo, tests and development."""
