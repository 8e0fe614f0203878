"""The gRPC services for Envoy: ADS and health discovery, and who may be which proxy.

    stream ─► shared_token or a cluster's pods ─► stream_auth ─► ads ─► xds.stream.delta_stream

Start reading at `ads`.
"""
