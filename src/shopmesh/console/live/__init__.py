"""The live state of a mesh as one stream of server-sent events, `GET /shopmesh/v1/live`.

    store ──► topology ─┐
    figures ─► traffic ─┼─► builder ──collections──► delta ──► feed ──bytes──► stream (one for each browser)
    proxies, … ─────────┘    once a second                     shared by all

Collections are `{name: {id: JSON text}}`: a document is serialised once, when it changes, and the same text is
compared, sent in deltas and sent in whole states. Nothing is computed while no stream is open.

Start reading at `stream.live_routes`; the shapes are in `collections`.
"""
