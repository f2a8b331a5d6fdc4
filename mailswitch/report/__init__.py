"""Reports as text, JSON and CSV; imports core."""
