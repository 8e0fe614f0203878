"""The HTTP routes: the App Mesh API, the status API under /shopmesh/v1/, /metrics, and who may ask them.

    isolation (Host, Origin, Content-Type) ─► sigv4 ─► app_mesh, status, prometheus

Start reading at `app_mesh`.
"""
