"""From the objects of a cluster to the mesh, and back.

    watches ─► object_cache ─► desired_state ─► reconcile ─► state       objects to resources
    API write ─► object_writer ─► API server                             resources to objects
    state ─► status ─► status_updater ─► conditions of the objects       written by the leader alone

Start reading at `object_cache`.
"""
