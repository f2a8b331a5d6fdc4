"""One module for each kind of hostile input; see ``tests.fuzz.target.Target``."""
