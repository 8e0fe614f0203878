"""HTTP for an untrusted network: connections, bytes and time that a client can use are bounded.

listener ─► acceptor ─► (TLS) ─► protocol: uvicorn on h11 ─► application
                └── connections: whose there are, and which one makes room for a new one
"""
