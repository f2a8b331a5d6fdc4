"""Panels: Plesk's XML API and its local command line; imports core."""
