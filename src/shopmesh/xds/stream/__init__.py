"""One proxy's delta xDS stream as state machines without sockets. Start reading at `delta_stream`."""
