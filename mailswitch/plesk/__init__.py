"""Panels: Plesk's XML API and its local command line; imports core.

One way through: `packets` and `local_sql` write questions, `transport` and `processes` carry them, `replies` and
`local_rows` read the answers, `inventory` turns those into core values, `xml_api` and `local_cli` are the panels.
Whatever a panel says is hostile input until `replies`, `local_rows` and `names` have read it.
"""
