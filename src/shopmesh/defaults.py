"""The default addresses, ports and names that more than one package uses; each is written down here alone."""

LOOPBACK = "127.0.0.1"
WAY_IN_PORT = 8080
"""Where `shopmesh up` and `shopmesh demo` serve the service that receives requests from outside."""
API_PORT = 9080
"""Of the App Mesh API."""
XDS_PORT = 18000
"""Of ADS, health discovery and the metrics service, over gRPC."""
ENDPOINT_URL = f"http://{LOOPBACK}:{API_PORT}"
REGION = "us-east-1"
ACCOUNT = "123456789012"
"""The AWS account in ARNs."""
WAY_IN_LABEL = "shopmesh.dev/way-in"
"""The label, with the value `true`, of the virtual node whose service is called from outside the mesh: the way in."""
CLIENT_SECONDS = 10.0
"""Seconds after which a client gives up waiting for a response."""
