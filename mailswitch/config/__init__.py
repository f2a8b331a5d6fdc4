"""The configuration file as checked models; imports core."""
