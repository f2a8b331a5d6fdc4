"""mailswitch: turns Plesk's local mail delivery off for domains whose mail lives elsewhere."""
