"""What the server's own mail log knows; imports core. Filled by an issue of its own."""
