"""Reports as text, JSON, CSV and HTML; imports core."""
