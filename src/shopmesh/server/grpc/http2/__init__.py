"""A carrier of our own: HTTP/2 for the streams of gRPC, and no more of it, on non-blocking sockets.

    socket ─► link (TLS) ─► connection (frames, windows, limits) ─► stream (messages) ─► session

`connection` and all that it uses does no I/O, so that tests can feed it any bytes. Start with `http2_carrier`.
https://www.rfc-editor.org/rfc/rfc9113 and https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""
