"""Terraform and the AWS provider, unmodified: create, plan without a difference, update, import, destroy.

Run where a machine has both: `terraform` on the path, and hashicorp/aws in a folder that is laid out as a mirror, in
`TERRAFORM_MIRROR` or where terraform or packages put such folders. Nothing is downloaded.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.api.conftest import KEY, REGION, SECRET, ApiServer
from tests.support.inputs import ACCOUNT
from tests.support.process import running

FOLDERS = (
    *([Path(os.environ["TERRAFORM_MIRROR"])] if "TERRAFORM_MIRROR" in os.environ else []),
    *(Path.home() / ".terraform.d").glob("plugins"),
    *(Path(share) / "terraform/plugins" for share in ("/usr/local/share", "/usr/share")),
    *sorted(Path("/opt").glob("*")),
)
PROVIDER = "*/hashicorp/aws/*/*/terraform-provider-aws*"
PROGRAM = next((program for folder in FOLDERS for program in folder.glob(PROVIDER)), None)

pytestmark = pytest.mark.skipif(
    shutil.which("terraform") is None or PROGRAM is None,
    reason="left out: this machine has not both terraform and a mirror with its AWS provider (TERRAFORM_MIRROR)",
)

SETTINGS = """
terraform {
  required_providers { aws = { source = "hashicorp/aws" } }
}
provider "aws" {
  region                      = "%(region)s"
  access_key                  = "%(key)s"
  secret_key                  = "%(secret)s"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  endpoints { appmesh = "%(url)s" }
  default_tags { tags = { team = "shop" } }
}
"""

MESH = """
resource "aws_appmesh_mesh" "m" {
  name = "m"
  spec {
    egress_filter { type = "ALLOW_ALL" }
  }
}

resource "aws_appmesh_virtual_node" "n" {
  count      = 2
  name       = "n${count.index}"
  mesh_name  = aws_appmesh_mesh.m.id
  mesh_owner = "%(account)s"
  spec {
    listener {
      port_mapping {
        port     = 8080
        protocol = "http"
      }
      health_check {
        protocol            = "http"
        path                = "/readyz"
        healthy_threshold   = 2
        unhealthy_threshold = 2
        timeout_millis      = 2000
        interval_millis     = 5000
      }
      timeout {
        http {
          per_request {
            unit  = "s"
            value = %(per_request)s
          }
          idle {
            unit  = "s"
            value = 0
          }
        }
      }
      outlier_detection {
        max_ejection_percent = 50
        max_server_errors    = 5
        interval {
          unit  = "s"
          value = 10
        }
        base_ejection_duration {
          unit  = "s"
          value = 30
        }
      }
    }
    listener {
      port_mapping {
        port     = 9090
        protocol = "grpc"
      }
    }
    backend {
      virtual_service { virtual_service_name = "later.local" }
    }
    service_discovery {
      dns { hostname = "n${count.index}.local" }
    }
    logging {
      access_log {
        file { path = "/dev/stdout" }
      }
    }
  }
}

resource "aws_appmesh_virtual_router" "r" {
  name      = "r"
  mesh_name = aws_appmesh_mesh.m.id
  spec {
    listener {
      port_mapping {
        port     = 8080
        protocol = "http"
      }
    }
    listener {
      port_mapping {
        port     = 9090
        protocol = "grpc"
      }
    }
  }
  tags = { stage = "%(stage)s" }
}

resource "aws_appmesh_route" "port_alone" {
  name                = "port-alone"
  mesh_name           = aws_appmesh_mesh.m.id
  virtual_router_name = aws_appmesh_virtual_router.r.name
  spec {
    http_route {
      match { port = 8080 }
      action {
        weighted_target {
          virtual_node = aws_appmesh_virtual_node.n[0].name
          weight       = %(weight)s
        }
        weighted_target {
          virtual_node = aws_appmesh_virtual_node.n[1].name
          weight       = 0
          port         = 8080
        }
      }
      retry_policy {
        http_retry_events = ["gateway-error", "server-error"]
        max_retries       = 1
        per_retry_timeout {
          unit  = "s"
          value = 0
        }
      }
      timeout {
        per_request {
          unit  = "s"
          value = 0
        }
      }
    }
  }
}

resource "aws_appmesh_route" "headers" {
  name                = "headers"
  mesh_name           = aws_appmesh_mesh.m.id
  virtual_router_name = aws_appmesh_virtual_router.r.name
  spec {
    priority = 10
    http_route {
      match {
        port   = 8080
        prefix = "/"
        method = "GET"
        header {
          name = "x-canary"
          match { exact = "yes" }
        }
        query_parameter {
          name = "q"
          match { exact = "1" }
        }
      }
      action {
        weighted_target {
          virtual_node = aws_appmesh_virtual_node.n[1].name
          weight       = 1
        }
      }
    }
  }
}

resource "aws_appmesh_route" "grpc" {
  name                = "grpc"
  mesh_name           = aws_appmesh_mesh.m.id
  virtual_router_name = aws_appmesh_virtual_router.r.name
  spec {
    grpc_route {
      match { port = 9090 }
      action {
        weighted_target {
          virtual_node = aws_appmesh_virtual_node.n[1].name
          weight       = 1
        }
      }
    }
  }
}

resource "aws_appmesh_virtual_service" "s" {
  name      = "s.local"
  mesh_name = aws_appmesh_mesh.m.id
  spec {
    provider {
      virtual_router { virtual_router_name = aws_appmesh_virtual_router.r.name }
    }
  }
}

resource "aws_appmesh_virtual_gateway" "g" {
  name      = "g"
  mesh_name = aws_appmesh_mesh.m.id
  spec {
    listener {
      port_mapping {
        port     = 80
        protocol = "http"
      }
    }
    logging {
      access_log {
        file { path = "/dev/stdout" }
      }
    }
  }
}

resource "aws_appmesh_gateway_route" "t" {
  for_each             = { prefix = "/", lower = "/s/" }
  name                 = each.key
  mesh_name            = aws_appmesh_mesh.m.id
  virtual_gateway_name = aws_appmesh_virtual_gateway.g.name
  spec {
    http_route {
      match { prefix = each.value }
      action {
        target {
          virtual_service { virtual_service_name = aws_appmesh_virtual_service.s.name }
          port = 8080
        }
        rewrite {
          hostname { default_target_hostname = "DISABLED" }
          prefix { default_prefix = "DISABLED" }
        }
      }
    }
  }
}

resource "aws_appmesh_gateway_route" "host" {
  name                 = "host"
  mesh_name            = aws_appmesh_mesh.m.id
  virtual_gateway_name = aws_appmesh_virtual_gateway.g.name
  spec {
    http_route {
      match {
        port = 80
        hostname { suffix = ".shop.local" }
      }
      action {
        target {
          virtual_service { virtual_service_name = aws_appmesh_virtual_service.s.name }
          port = 8080
        }
      }
    }
  }
}
"""

FIRST = {"account": ACCOUNT, "per_request": 0, "weight": 100, "stage": "one"}
IMPORTED = {
    "aws_appmesh_mesh.m": "m",
    "aws_appmesh_virtual_node.n[0]": "m/n0",
    "aws_appmesh_virtual_router.r": "m/r",
    "aws_appmesh_route.port_alone": "m/r/port-alone",
    "aws_appmesh_virtual_service.s": "m/s.local",
    "aws_appmesh_virtual_gateway.g": "m/g",
    "aws_appmesh_gateway_route.host": "m/g/host",
}

Terraform = Callable[..., str]


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[str]:
    """The provider, which runs for the length of a test, and what `TF_REATTACH_PROVIDERS` says of it.

    Without that variable terraform starts it for each of a command's phases. Each start describes all resources of AWS
    anew, for which it takes much memory, so its garbage is collected seldom.
    """
    assert PROGRAM is not None
    # Without the AWS settings of who runs the tests.
    with running(("env", "-i", f"HOME={tmp_path}", "GOGC=800", PROGRAM, "-debug")) as child:
        found = child.wait_for(
            lambda: re.search(r"TF_REATTACH_PROVIDERS='(.+)'", child.output), "how it is reached", 60
        )
        yield found[1]


@pytest.fixture
def terraform(secured: ApiServer, provider: str, tmp_path: Path) -> Terraform:
    """Runs a command in a folder with the provider's settings; a plan with a difference fails, too."""
    given = {"region": REGION, "key": KEY, "secret": SECRET, "url": secured.url}
    (tmp_path / "settings.tf").write_text(SETTINGS % given)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_REATTACH_PROVIDERS": provider,
    }

    def run(command: str, *arguments: str) -> str:
        done = subprocess.run(
            ["terraform", command, *(["-no-color"] if command != "state" else []), *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.timeout(600)
def test_terraform_s_provider_works_as_with_app_mesh(terraform: Terraform, secured: ApiServer, tmp_path: Path) -> None:
    """Nothing that it left out comes back and nothing that it wrote is lost, so that no plan shows a difference."""
    mesh = tmp_path / "mesh.tf"
    mesh.write_text(MESH % FIRST)
    terraform("init", "-input=false")
    terraform("apply", "-auto-approve", "-input=false")
    terraform("plan", "-detailed-exitcode", "-input=false")

    mesh.write_text(MESH % {**FIRST, "per_request": 20, "weight": 60, "stage": "two"})
    assert "0 added, 4 changed, 0 destroyed" in terraform("apply", "-auto-approve", "-input=false")
    client = secured.client()
    router = client.describe_virtual_router(meshName="m", virtualRouterName="r")["virtualRouter"]
    tags = client.list_tags_for_resource(resourceArn=router["metadata"]["arn"])["tags"]
    assert [{"key": "stage", "value": "two"}, {"key": "team", "value": "shop"}] == tags

    terraform("state", "rm", *IMPORTED)
    (tmp_path / "imports.tf").write_text(
        "".join(f'import {{\n  to = {address}\n  id = "{known}"\n}}\n' for address, known in IMPORTED.items())
    )
    imported = terraform("apply", "-auto-approve", "-input=false")
    assert f"{len(IMPORTED)} imported, 0 added, 0 changed, 0 destroyed" in imported

    terraform("destroy", "-auto-approve", "-input=false")
    assert [] == client.list_meshes()["meshes"]
