"""Alembic's environment; each revision stands by itself and imports nothing of mailswitch, which moves on."""
