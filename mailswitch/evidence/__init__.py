"""What the server itself knows of its mail, from its mail log; imports core."""
