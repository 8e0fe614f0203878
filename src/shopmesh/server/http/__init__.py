"""HTTP for an untrusted network: bounds the connections, bytes and time that a client can use.

listener ─► acceptor ─► (TLS) ─► protocol: uvicorn on h11 ─► application
                └── connections: counts them by peer, and chooses the one that a new one replaces

Start reading at `server`.
"""
