"""HTTP for a network that nobody vouches for: what strangers can take of it is bounded before it is given.

listener ─► acceptor ─► (TLS) ─► protocol: uvicorn on h11 ─► application
                └── connections: whose there are, and which one makes room for a new one
"""
