"""The store of resources: its interface (`store`), and SQLite behind it. A cluster has a store of its own.

    submit ─► sqlite_store (one writer, batches) ─► sqlite_file (durable) ─► memory ─► listeners

Start reading at `store`.
"""
