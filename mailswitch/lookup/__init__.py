"""Public DNS from several vantages; imports core, and dnspython for messages.

``vantages`` says whom to ask and how patiently; ``survey`` opens a ``sweep`` over many names, with the ``memory`` of
former ones (kept as a ``memory_file``); ``opinions`` makes observations of answers; ``client`` asks one vantage nothing
twice and follows CNAMEs; ``window`` keeps many of its questions (``inquiry``) under way through its ``ports``, as its
``pacing`` allows; ``queries`` writes and ``fast_codec`` reads the usual packets, ``low_level`` others in good order,
``wire`` and ``answers`` all the rest; ``replies`` holds what they mean. ``probe`` is for ``doctor``.
"""
