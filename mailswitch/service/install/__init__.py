"""Installing the daemon on a Plesk server, and taking it away again: steps as values; imports core, config, service."""
