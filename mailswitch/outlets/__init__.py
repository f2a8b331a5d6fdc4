"""Where finished texts leave the program: mail, webhook, metrics file and listener. Imports core only."""
