"""An App-Mesh-compatible control plane for stock Envoy, and the tools around it."""
