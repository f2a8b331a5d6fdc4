"""Public DNS from several vantages; imports core."""
