"""The HTTP routes: the App Mesh API, the status API under /shopmesh/v1/, /metrics, and who may ask them.

    isolation (Host, Origin, Content-Type) ─► sigv4 (author) ─► app_mesh, status, proxy_details, history, prometheus

Start reading at `app_mesh`.
"""
