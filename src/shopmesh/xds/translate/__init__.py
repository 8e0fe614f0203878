"""A mesh as Envoy's resources: listeners, routes, clusters, endpoints and secrets of one proxy. Pure.

`shopmesh.appmesh.resolved` has decided what documents mean; here it gets Envoy's form. Start at `egress` (what leaves
a proxy) and `listeners` (what arrives); `shopmesh.xds.snapshot` puts all of it together.
"""
