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
workers = service_config.workers
worker_class = "services.chassis.worker.Worker"
worker_connections = service_config.connections
# Each worker makes the application itself, after the fork: threads (the sender of the spans) and pools do not fork.
preload_app = False
# Longer than the hour after which Envoy gives up an idle connection, so that never the server closes
# a connection on which its caller is just sending a request.
# https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts
keepalive = 3660
graceful_timeout = math.ceil(service_config.drain_seconds + service_config.stop_seconds)
# /dev/shm where there is one: a worker that waits for a disk while it says that it lives is taken for dead.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112
logger_class = "services.chassis.worker.QuietLogger"
logconfig_dict = logging_config(service_config.log_level)
loglevel = service_config.log_level.lower()
# gunicorn's own way to be controlled: a socket in the home folder, one for all services of a user.
control_socket_disable = True
# Nothing may pass here but the sidecar; who the client was, nobody asks.
forwarded_allow_ips = ""

runtime_state = shared_memory()


def post_worker_init(worker: Worker) -> None:
    chassis = worker.wsgi.extensions["chassis"]
    chassis.state.share(runtime_state)
    worker.on_stop = chassis.state.stop
    worker.drain_seconds = service_config.drain_seconds
    # What has been made by now stays for good: the collector need not look at it ever again.
    gc.collect()
    gc.freeze()


def worker_exit(server: object, worker: Worker) -> None:
    # None when the worker ended before it had made the application.
    if worker.wsgi:
        worker.wsgi.extensions["chassis"].tracing.close()
