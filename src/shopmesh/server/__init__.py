"""The only sockets: the App Mesh API over HTTP, ADS and Envoy's figures over gRPC."""
