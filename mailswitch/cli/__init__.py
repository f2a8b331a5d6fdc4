"""The command line: click commands that call the service and decide nothing."""
