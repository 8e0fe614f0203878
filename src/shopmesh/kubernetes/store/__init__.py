"""The API server of a cluster as the store.

    reflectors ─► ObjectCache ─dirty─► DesiredState ─keys─► reconcile ─┐
                        └────dirty──────────► NodeInstances ────────┴─► one Transaction ─► State ─► listeners
    submit(work) ─► Transaction ─► plan_writes ─► ApiWriter ─► API server ─► its answers go the way of watch events

The State holds only what the API server has confirmed. Replicas differ for as long as a watch event takes, and do not
depend on each other. Start with `kubernetes_store`.
"""

from shopmesh.kubernetes.store.kubernetes_store import KubernetesStore

__all__ = ["KubernetesStore"]
