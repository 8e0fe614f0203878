"""The gRPC services for Envoy: ADS and health discovery, who may be which proxy, and what carries their streams.

    carrier ─► shared_token or a cluster's pods ─► session: ads, health_discovery, traffic.metrics_service
                                                      │
                                  admission (whose stream, how many) ─► xds.stream.delta_stream

`sessions` is the seam: sessions know messages, carriers (`grpc_carrier`, `http2`) connections. Start there, then read
`ads`.
"""
