"""Programs that ask with other libraries, each run by itself: by an interpreter that has the library, or built (Go).

``PROGRAM PORT COUNT`` asks the resolver at that port of 127.0.0.1 for the MX of ``d0.example`` and on, and prints JSON:
how many were answered, in how many seconds, with how many seconds of CPU. They import nothing of the project.
"""
