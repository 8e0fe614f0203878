"""An App-Mesh-compatible control plane for stock Envoy, and the tools around it."""

DEFAULT_ENDPOINT = "http://127.0.0.1:9080"
"""Where a control plane's API is, unless somebody says otherwise."""
