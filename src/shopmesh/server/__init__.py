"""The control plane's servers: the App Mesh API over HTTP; ADS, health discovery and the metrics service over gRPC.

    control_plane.serving_control_plane(config, extra_routes) ─► store ─► grpc ─► api, canary ─► http

Start reading at `control_plane`. May import `canary`, `xds`, `appmesh` and `files`; packages above add `extra_routes`.
"""
