"""Coverage-guided fuzzing of whatever reads hostile input: ``python -m tests.fuzz TARGET --seconds N``.

Each module of ``targets`` is one target: it takes octets and raises for whatever must not be (see ``target.Target``).
``corpus`` holds, one file a target and one input a line in hexadecimal, what fuzzing found worth keeping: every one of
them leads somewhere that no other one does. The normal tests replay them (``test_replay``); libFuzzer, by way of
atheris, goes on from them. ``__main__`` is the command, ``child`` the process that libFuzzer takes over.
"""
