"""``make demo``: a shop changes its settings while it is open, and four applications follow.

__main__   the story, in the order in which it is told
shop       the shop's settings and its day, from examples/shop/*.json, and the requests that make them so
fleet      the four applications: starts them, gathers what they report
app        one application, a process of its own: an ordinary user of configclient
report     PURE: percentiles and tables
"""
