"""The durable record in SQL; imports core."""
