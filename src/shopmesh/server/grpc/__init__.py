"""TODO: say what `shopmesh/server/grpc` is."""
