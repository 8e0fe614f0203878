"""Which requests a match takes, as sets that can be compared: `a.covers(b)` only if every request of `b` is one of `a`.

    MatchSet = port, path, conditions, all at once         paths: exact, prefix, regular expression
                                                   conditions: headers, metadata, query parameters

What cannot be decided (most pairs of regular expressions) counts as not covered, so that a finding is never wrong.
"""

from shopmesh.appmesh.findings.match_set.match_set import MatchSet, gateway_match_set, route_match_set

__all__ = ["MatchSet", "gateway_match_set", "route_match_set"]
