"""The pass, its ports and its wiring; imports core, and adapters in wiring.py only."""
