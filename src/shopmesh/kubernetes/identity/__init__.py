"""Whose proxy a pod is, and the certificates by which sidecars and control plane know each other.

    token ─► pod_auth ─► pods ─► stamps ─► pod_identity        which node or gateway the pod's Envoy may be

Start reading at `pod_identity`.
"""
