"""Pure values and rules; imports the standard library only, knows no clock and does no I/O."""
