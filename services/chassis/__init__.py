"""The common base of all services: configuration, health, telemetry, logs, calls to peers, faults.

    gunicorn.conf.py ─► worker (gevent, graceful stop)
                          │ one process, one application
                          ▼
                  ┌── service ─────────────────────────────────┐
    request ─────►│ middleware: trace, faults, version, log    │
                  │   └► Flask: the service's own routes       │──► peers ──► other services
                  └────────────────────────────────────────────┘
    loopback ────► admin: readiness and faults at run time, on a port of its own

A service imports `Service` and, when it calls others, `Peers`; `services/product/app.py` is the shortest example.
Nothing happens on import, and nothing but `gunicorn.conf.py` and `Config.from_environ`'s callers reads the environment.
"""
