"""Public DNS from several vantages; imports core, and dnspython for messages.

``vantages`` says whom to ask and how patiently, ``wire`` sends one query, ``answers`` reads one message, ``replies``
holds what that means, ``client`` asks one vantage, ``survey`` sweeps over many names, ``probe`` is for ``doctor``.
"""
