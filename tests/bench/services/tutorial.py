"""The tutorial's application, written again from its description: what the services are measured against.

One Flask file for each service, told by the environment who it is: `SVC_NAME`, `SVC_VER`, and for order
`CUST_SVC_URL`, `PROD_SVC_URL`. The development server with `debug=True`; a new connection for each call; one peer after
the other; no time-outs.
"""

from __future__ import annotations

import os

import requests
from flask import Flask


def tutorial(name: str, version: str, urls: list[str]) -> Flask:
    """One service of the tutorial; `urls` are asked one after the other and their answers appended."""
    app = Flask(name)

    @app.route("/")
    def home() -> str:
        answer = f'{{"Service":"{name}", "Version":{version}}}\n'
        for url in urls:
            answer += requests.get(url).text  # noqa: S113  # the tutorial sets no time-out
        return answer

    return app


if __name__ == "__main__":
    peers = [os.environ[key] for key in ("CUST_SVC_URL", "PROD_SVC_URL") if key in os.environ]
    service = tutorial(os.environ["SVC_NAME"], os.environ["SVC_VER"], peers)
    service.run(host="127.0.0.1", port=int(os.environ["PORT"]), debug=True)  # as the tutorial does
