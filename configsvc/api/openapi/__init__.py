"""``/openapi.json``: what the API takes and answers, made from the models that check what comes in.

``operations`` is the table of all calls, ``parameters``, ``problems`` and ``answers`` are what its rows are made of,
``document`` puts them together, ``reference`` writes docs/api.md from the result.
"""
