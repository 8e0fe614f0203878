"""What Envoy needs: a mesh translated to xDS resources, the protocol as state machines, and Envoy's bootstrap. No I/O.

    translate, snapshot  the resources of one proxy        incremental  recomputes only what changed
    stream               the delta xDS protocol            bootstrap    the file that an Envoy starts with

May import `shopmesh.appmesh` alone. Start reading at `snapshot`.
"""
