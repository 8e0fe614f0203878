"""What lets `shopmesh` and `aws` in another process reach the control plane of a run folder."""

from __future__ import annotations

from pathlib import Path

from shopmesh.local.access import AccessFiles


def environment_of(run_folder: Path, api_port: int) -> dict[str, str]:
    """What `eval "$(shopmesh env)"` sets for `shopmesh`."""
    return {
        "SHOPMESH_ENDPOINT_URL": f"http://127.0.0.1:{api_port}",
        "AWS_SHARED_CREDENTIALS_FILE": str(AccessFiles(run_folder).credentials_file),
    }


FOREIGN_VARIABLES = {
    "AWS_PROFILE": "work",
    "AWS_DEFAULT_PROFILE": "work",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2VjEXAMPLE",
    "AWS_SECURITY_TOKEN": "IQoJb3JpZ2luX2VjEXAMPLE",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/token",
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/work",
    "AWS_ROLE_SESSION_NAME": "work",
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_DEFAULT_OUTPUT": "table",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ENDPOINT_URL_APP_MESH": "http://127.0.0.1:1",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_CONFIG_FILE": "/nowhere/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere/credentials",
    "SHOPMESH_ENDPOINT_URL": "http://127.0.0.1:1",
}
"""Everything that a shell may have for AWS itself; each alone would lead `aws` elsewhere, or refuse to work."""
