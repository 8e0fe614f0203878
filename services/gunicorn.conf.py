"""How gunicorn runs any service: `gunicorn -c services/gunicorn.conf.py 'services.order.app:create_app()'`.

Run it from the root of the repository. README.md beside this file lists the variables.
This file is run once, by the master, before any worker exists: it must not import what gevent has to patch first.
https://www.gevent.org/api/gevent.monkey.html#patching
"""

from __future__ import annotations

import gc
import math
import os
import sys
from typing import TYPE_CHECKING

from services.chassis.config import Config, ConfigError
from services.chassis.logs import logging_config
from services.chassis.runtime_state import shared_memory

if TYPE_CHECKING:
    from services.chassis.worker import Worker

try:
    service_config = Config.from_environ(os.environ)
except ConfigError as error:
    sys.exit(f"shopmesh service: {error}")

host = f"[{service_config.host}]" if ":" in service_config.host else service_config.host
bind = [f"{host}:{service_config.port}"]
if service_config.control_port:
    bind.append(f"127.0.0.1:{service_config.control_port}")
if service_config.control_socket:
    bind.append(f"unix:{service_config.control_socket}")
# The socket and the files that gunicorn writes are the user's alone.
umask = 0o177
workers = service_config.workers
worker_class = "services.chassis.worker.Worker"
worker_connections = service_config.connections
# Each worker creates the application after the fork: threads (the span exporter) and pools do not survive a fork.
preload_app = False
# Longer than Envoy's idle time-out of an hour, so that the server never closes a connection on which its caller is
# just sending a request.
# https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts
keepalive = 3660
graceful_timeout = math.ceil(service_config.drain_seconds + service_config.stop_seconds)
# In memory, where possible: a worker whose heartbeat waits for a disk would be killed.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112
logger_class = "services.chassis.worker.QuietLogger"
logconfig_dict = logging_config(service_config.log_level)
loglevel = service_config.log_level.lower()
# gunicorn's control socket: one in the home folder, shared by all services of a user.
control_socket_disable = True
# Only the sidecar connects here; the client's address is not used.
forwarded_allow_ips = ""

runtime_state = shared_memory()


def post_worker_init(worker: Worker) -> None:
    chassis = worker.wsgi.extensions["chassis"]
    chassis.state.share(runtime_state)
    worker.on_stop = chassis.state.stop
    worker.drain_seconds = service_config.drain_seconds
    # Existing objects stay alive: the collector can skip them.
    gc.collect()
    gc.freeze()


def worker_exit(server: object, worker: Worker) -> None:
    # None when the worker ended before it created the application.
    if worker.wsgi:
        worker.wsgi.extensions["chassis"].tracing.close()
