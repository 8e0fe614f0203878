"""Canaries over HTTP: `canary_api` serves and supervises them, `leases` counts the time of each, `supervisor` judges
those that the control plane owns.

Start reading at `canary_api.CanaryApi`. May import `shopmesh.canary` (plans, verdicts, transitions; no I/O), the store,
the replicas and the figures of `shopmesh.server`.

A running canary has a lease: the command that started it renews it, and when it ends without a renewal the canary is
rolled back. With several replicas these rules hold:

1. Only the leader (`replicas.Leadership`) counts leases and changes canaries. The other replicas forward POSTs to it
   (once: a forwarded request is never forwarded again), then wait up to a second until they have read what it wrote.
2. Leases are timers in the memory of the leader and are never stored. The record of a canary holds only the length of
   its lease in seconds.
3. A replica that becomes the leader starts every running canary with a whole lease: no renewal could reach a leader
   while there was none. It also compares each canary with its route, which may have changed meanwhile.
4. A replica that ceases to lead drops all timers and cancels its tasks before it returns to the loop.
5. Each timer checks `leading` again when it ends. That property reads the clock, so it is right even when the loop was
   too busy to be notified; then the lease starts anew instead of rolling back.
6. A canary has one owner, the run of the command that supervises it. A renewal by another owner is a conflict, so two
   commands never supervise one canary. Where the owner is the control plane, the leader judges the canary itself and
   renews the same lease after each verdict, so one that cannot be judged is rolled back as well.

So a canary is rolled back at the earliest one lease after its last renewal, and at the latest one lease after the next
replica leads. Two replicas never roll back the same one: a leader stops by its own clock before another may start
(`shopmesh.kubernetes.leader_election`), and each write goes through a transaction that reads the record again.
"""
