"""The mesh in Kubernetes: its API server is the store, its EndpointSlices are the endpoints.

API server ─list, watch─► reflectors ─► cache ─► State ─► snapshots ─► ADS            (as on a laptop from there on)
           ◄─create, replace─ store ◄─ App Mesh API

Start reading at `control_plane`, then `store`.
"""
