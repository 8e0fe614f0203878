"""CloudFormation templates: what they declare, and what is said where they cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from botocore.model import ListShape, Shape, StructureShape
from hypothesis import HealthCheck, given, settings

from shopmesh.appmesh.api.model import GA, service
from shopmesh.appmesh.kinds import KINDS
from shopmesh.appmesh.store import Document, Key
from shopmesh.documents import (
    DeclaredResource,
    DocumentError,
    TemplateOptions,
    as_json,
    as_yaml,
    declared_resources,
    document,
    documents,
    ignored_documents,
    problems,
)
from shopmesh.documents.cloudformation import field_name, property_name
from tests.support.meshes import meshes

TEMPLATE = """\
AWSTemplateFormatVersion: 2010-09-09
Description: "the shop"
Parameters:
  Environment: {Type: String, Default: shop, AllowedValues: [shop, bank]}
  Port: {Type: Number, Default: 5000, MinValue: 1, MaxValue: 65535}
  Weight: {Type: String, Default: "25"}
Mappings:
  Names: {shop: {Domain: default.svc.cluster.local}, bank: {Domain: bank.internal}}
Conditions:
  Canary: !Not [!Equals [!Ref Weight, "0"]]
Resources:
  Mesh:
    Type: AWS::AppMesh::Mesh
    Properties:
      MeshName: !Sub "${Environment}mesh"
      Spec: {EgressFilter: {Type: DROP_ALL}}
      Tags: [{Key: team, Value: !Ref Environment}]
  One:
    Type: AWS::AppMesh::VirtualNode
    DependsOn: Cluster
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualNodeName: product-vn
      Spec:
        Listeners:
          - PortMapping: {Port: !Ref Port, Protocol: http}
            Timeout: {HTTP: {PerRequest: {Unit: s, Value: 20}}}
            TLS:
              Mode: STRICT
              Certificate: {ACM: {CertificateArn: !Ref Certificate}}
        ServiceDiscovery:
          DNS: {Hostname: !Join [., [product, !FindInMap [Names, !Ref Environment, Domain]]]}
        BackendDefaults: !If [Canary, !Ref "AWS::NoValue", {ClientPolicy: {TLS: {Enforce: true}}}]
  Two:
    Type: AWS::AppMesh::VirtualNode
    Condition: Canary
    Properties: {MeshName: !GetAtt [Mesh, MeshName], Spec: {}}
  Router:
    Type: AWS::AppMesh::VirtualRouter
    Properties:
      MeshName: {"Fn::GetAtt": [Mesh, MeshName]}
      VirtualRouterName: product-vr
      Spec: {Listeners: [{PortMapping: {Port: {Ref: Port}, Protocol: http}}]}
  Route:
    Type: AWS::AppMesh::Route
    Properties:
      MeshName: !GetAtt Router.MeshName
      VirtualRouterName: !GetAtt Router.VirtualRouterName
      RouteName: !Select [1, !Split ["/", "a/product-r"]]
      Spec:
        HttpRoute:
          Match: {Prefix: /}
          Action:
            WeightedTargets:
              - {VirtualNode: !GetAtt One.VirtualNodeName, Weight: !Ref Weight}
  Cluster: {Type: AWS::ECS::Cluster}
  Certificate: {Type: AWS::CertificateManager::Certificate}
"""
CERTIFICATE = {"Certificate": "arn:aws:acm:eu-west-1:111122223333:certificate/1"}


def read(text: str, **parameters: str) -> list[DeclaredResource]:
    return declared_resources(documents(text, "shop.yaml"), options=TemplateOptions(parameters))


def wrong(text: str, **parameters: str) -> str:
    with pytest.raises(DocumentError) as caught:
        read(text, **parameters)
    return str(caught.value)


def one(spec: str, more: str = "") -> str:
    """A template with one virtual node."""
    node = f"    Type: AWS::AppMesh::VirtualNode\n    Properties: {{MeshName: m, VirtualNodeName: n, Spec: {spec}}}\n"
    return f"{more}Resources:\n  Node:\n{node}"


def test_a_template_declares_what_a_stack_would_create() -> None:
    """Names, references, parameters, mappings, conditions and joins become the API's documents."""
    found = {resource.key: resource for resource in read(TEMPLATE, **CERTIFICATE)}

    assert [
        Key("mesh", ("shopmesh",)),
        Key("virtualNode", ("shopmesh", "product-vn")),
        Key("virtualNode", ("shopmesh", "shopmesh-Two")),
        Key("virtualRouter", ("shopmesh", "product-vr")),
        Key("route", ("shopmesh", "product-vr", "product-r")),
    ] == list(found)
    assert {
        "listeners": [
            {
                "portMapping": {"port": 5000, "protocol": "http"},
                "timeout": {"http": {"perRequest": {"unit": "s", "value": 20}}},
                "tls": {"mode": "STRICT", "certificate": {"acm": {"certificateArn": CERTIFICATE["Certificate"]}}},
            }
        ],
        "serviceDiscovery": {"dns": {"hostname": "product.default.svc.cluster.local"}},
    } == found[Key("virtualNode", ("shopmesh", "product-vn"))].spec
    assert {"team": "shop"} == found[Key("mesh", ("shopmesh",))].tags
    assert [{"virtualNode": "product-vn", "weight": 25}] == (
        found[Key("route", ("shopmesh", "product-vr", "product-r"))].spec["httpRoute"]["action"]["weightedTargets"]
    )
    assert not list(problems(found.values()))


def test_parameters_change_what_is_declared() -> None:
    """A given value goes before the default, also in names, mappings and conditions."""
    found = {r.key: r for r in read(TEMPLATE, **CERTIFICATE, Environment="bank", Weight="0", Port="80")}
    node = found[Key("virtualNode", ("bankmesh", "product-vn"))]

    assert Key("virtualNode", ("bankmesh", "shopmesh-Two")) not in found
    assert "product.bank.internal" == node.spec["serviceDiscovery"]["dns"]["hostname"]
    assert 80 == node.spec["listeners"][0]["portMapping"]["port"]
    assert {"clientPolicy": {"tls": {"enforce": True}}} == node.spec["backendDefaults"]


def test_json_says_the_same_as_yaml() -> None:
    """The long forms of JSON and the short forms of YAML are one."""
    text = one("{Logging: {AccessLog: {File: {Path: !Sub '/${AWS::Region}'}}}}")
    spelled: dict[str, Any] = yaml.safe_load(text.replace("!Sub '/${AWS::Region}'", "{'Fn::Sub': '/${AWS::Region}'}"))

    assert read(text) == declared_resources(documents(json.dumps(spelled, indent="\t"), "shop.json"))
    assert "/us-east-1" == read(text)[0].spec["logging"]["accessLog"]["file"]["path"]


def test_foreign_resources_are_skipped_with_their_places() -> None:
    """A template holds clusters and certificates beside the mesh."""
    [source] = documents(TEMPLATE, "shop.yaml")

    assert [
        ("AWS::ECS::Cluster", "shop.yaml, document 1, line 56, Resources.Cluster"),
        ("AWS::CertificateManager::Certificate", "shop.yaml, document 1, line 57, Resources.Certificate"),
    ] == list(ignored_documents(source))


def members(shape: Shape) -> list[tuple[str, Shape]]:
    """Every field below a shape, once."""
    if isinstance(shape, ListShape):
        return members(shape.member)
    if isinstance(shape, StructureShape):
        return [pair for name, member in shape.members.items() for pair in [(name, member), *members(member)]]
    return []


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_the_model_has_a_property_and_back(kind: str) -> None:
    """The names differ by their first letter and by nine words, and no two fields share a property."""
    shape = service(GA).operation_model(f"Create{KINDS[kind].title}").input_shape
    assert shape is not None
    fields = {name for name, _ in members(shape)}

    assert fields == {field_name(property_name(name)) for name in fields}
    assert len(fields) == len({property_name(name) for name in fields})


SHOUTED = {"ACM", "AWSCloudMap", "DNS", "GRPC", "HTTP", "HTTP2", "SDS", "TCP", "TLS"}


def test_the_shouted_words_are_those_of_the_published_schemas() -> None:
    """Over all kinds, these nine properties are written in capitals and no others."""
    inputs = [service(GA).operation_model(f"Create{kind.title}").input_shape for kind in KINDS.values()]
    spelled = {property_name(name) for shape in inputs if shape is not None for name, _ in members(shape)}

    assert SHOUTED == {name for name in spelled if name[1].isupper()}


BAD = {
    "a misspelled property": (one("{Listners: []}"), "line 4, Resources.Node.Properties.Spec.Listners", "'Listeners'?"),
    "a property in the API's spelling": (one("{listeners: []}"), "Properties.Spec.listeners", "'Listeners'?"),
    "an unknown type": ("Resources: {A: {Type: AWS::AppMesh::Node}}\n", "Resources.A.Type", "did you mean"),
    "no type": ("Resources: {A: {Properties: {}}}\n", "Resources.A", "has no Type"),
    "no mesh name": ("Resources: {A: {Type: AWS::AppMesh::VirtualNode}}\n", "A.Properties.MeshName", "is missing"),
    "an unknown name": (one("{Logging: !Ref Nothing}"), "Properties.Spec.Logging.Ref", "nothing here is named"),
    "an unknown attribute": (one("{Logging: !GetAtt Node.Name}"), "Spec.Logging", "Node has no 'Name'"),
    "an attribute of nothing": (one("{Logging: !GetAtt Gone.Arn}"), "Spec.Logging", "there is no resource 'Gone'"),
    "what only a stack knows": (one("{Logging: !GetAtt Node.Uid}"), "Spec.Logging", "known only once it is created"),
    "an ARN for a name": (
        one("{Backends: [{VirtualService: {VirtualServiceName: !Ref Node}}]}"),
        "Backends[0].VirtualService.VirtualServiceName",
        "!GetAtt LogicalId.VirtualServiceName",
    ),
    "a foreign resource": (
        one("{Logging: !Ref Log}") + "  Log: {Type: AWS::Logs::LogGroup}\n",
        "Spec.Logging",
        "give the value by --parameter 'Log=VALUE'",
    ),
    "another stack's export": (one("{Logging: !ImportValue x:y}"), "Spec.Logging", "--parameter 'x:y=VALUE'"),
    "a function that needs AWS": (one("{Logging: !GetAZs ''}"), "Spec.Logging.Fn::GetAZs", "write the zones"),
    "an unknown function": (one("{Logging: {'Fn::Subb': x}}"), "Spec.Logging", "did you mean 'Fn::Sub'?"),
    "a function beside a key": (one("{Logging: {Ref: Node, a: 1}}"), "Spec.Logging", "must be the only key"),
    "an unknown condition": (one("{Logging: !If [C, 1, 2]}"), "Spec.Logging", "there is no condition 'C'"),
    "a condition of itself": (
        one("{Logging: !If [C, 1, 2]}", "Conditions: {C: !Not [{Condition: C}]}\n"),
        "Conditions.C",
        "condition C is defined by itself",
    ),
    "a name of itself": (
        "Resources: {A: {Type: AWS::AppMesh::Mesh, Properties: {MeshName: !GetAtt A.MeshName}}}\n",
        "A.Properties.MeshName",
        "is defined by itself",
    ),
    "a mapping without the key": (
        one("{Logging: !FindInMap [M, a, c]}", "Mappings: {M: {a: {b: 1}}}\n"),
        "Spec.Logging",
        "the mapping has no 'c'",
    ),
    "an entry that is not there": (one("{Logging: !Select [2, [a, b]]}"), "Spec.Logging", "no entry 2"),
    "a macro": (one("{}", "Transform: [MyMacro]\n"), "Transform", "'MyMacro' is not supported"),
    "a loop": ("Resources: {'Fn::ForEach::N': [a, [b], {}]}\n", "Resources.Fn::ForEach::N", "expand the template"),
    "a parameter without a value": (
        one("{Logging: !Ref P}", "Parameters: {P: {Type: String}}\n"),
        "Parameters.P",
        "--parameter P=VALU",
    ),
    "a default that is not allowed": (
        one("{Logging: !Ref P}", "Parameters: {P: {Type: String, Default: a, AllowedValues: [b]}}\n"),
        "Parameters.P",
        "is not among the AllowedValues b",
    ),
    "a pattern that does not fit": (
        one("{Logging: !Ref P}", "Parameters: {P: {Type: String, Default: a, AllowedPattern: '[0-9]+'}}\n"),
        "Parameters.P",
        "does not fit the AllowedPattern",
    ),
    "a number too large": (
        one("{Logging: !Ref P}", "Parameters: {P: {Type: Number, Default: 9, MaxValue: 8}}\n"),
        "Parameters.P",
        "is beyond MaxValue, 8",
    ),
    "no number": (
        one("{Logging: !Ref P}", "Parameters: {P: {Type: Number, Default: a}}\n"),
        "Parameters.P",
        "is not a number",
    ),
    "a text too long": (
        one("{Logging: !Ref P}", "Parameters: {P: {Type: String, Default: abc, MaxLength: 2}}\n"),
        "Parameters.P",
        "has 3 characters, and MaxLength is 2",
    ),
    "a stored parameter": (
        one("{Logging: !Ref P}", "Parameters: {P: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /a}}\n"),
        "Parameters.P",
        "Parameter Store",
    ),
    "a function outside a template": ("meshName: !Ref Mesh\n", "line 1", "this document is not a template"),
    "an unknown tag": ("Resources: {A: !vault x}\n", "line 1", "the tag !vault is not supported"),
}


@pytest.mark.parametrize(("text", "place", "reason"), BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_told_with_its_place(text: str, place: str, reason: str) -> None:
    """File, document, line and property, and what to do instead."""
    said = wrong(text)

    assert said.startswith("shop.yaml, document 1, line ")
    assert place in said
    assert reason in said


NESTED = """\
Resources:
  Node:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: m
      Spec:
        Listeners:
          - PortMapping:
              Protocol: http
              Port: 70000
"""


def test_what_the_model_refuses_is_told_in_the_templates_words() -> None:
    """A value out of range is named by its property, at its line."""
    [problem] = problems(read(NESTED))

    assert "line 10, Resources.Node.Properties.Spec.Listeners[0].PortMapping.Port: 70000" in str(problem)


def test_a_value_of_another_stack_can_be_given() -> None:
    """What a foreign resource or an export would say is taken from the command line."""
    text = one(
        "{ServiceDiscovery: {DNS: {Hostname: !GetAtt Balancer.DNSName}},"
        " Logging: {AccessLog: {File: {Path: !ImportValue log}}}}"
    )
    text += "  Balancer: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer}\n"

    [node] = read(text, **{"Balancer.DNSName": "b.example", "log": "/dev/stdout"})

    assert "b.example" == node.spec["serviceDiscovery"]["dns"]["hostname"]
    assert "/dev/stdout" == node.spec["logging"]["accessLog"]["file"]["path"]


def test_a_parameter_that_no_template_asks_for_is_refused() -> None:
    """A misspelled name would otherwise silently leave the default in force."""
    assert "--parameter Prot: no template has this parameter; correct the name" == wrong(
        TEMPLATE, **CERTIFICATE, Prot="1"
    )


def test_references_by_arn_are_whole() -> None:
    """Ref and Arn give the ARN of the resource, in the region and account that were given."""
    text = one("{Logging: {AccessLog: {File: {Path: !Sub '${Node}|${Node.Arn}|${!kept}'}}}}")
    elsewhere = TemplateOptions({"AWS::AccountId": "111122223333"}, region="eu-west-1")

    [node] = declared_resources(documents(text, "shop.yaml"), options=elsewhere)

    arn = "arn:aws:appmesh:eu-west-1:111122223333:mesh/m/virtualNode/n"
    assert f"{arn}|{arn}|${{kept}}" == node.spec["logging"]["accessLog"]["file"]["path"]


def test_lists_and_secrets_are_parameters_too() -> None:
    """A comma-separated parameter is a list, and the value of a NoEcho one is not shown."""
    text = one("{Logging: !Join [':', !Ref L]}", "Parameters: {L: {Type: CommaDelimitedList, Default: 'a, b'}}\n")
    secret = one("{Logging: !Ref P}", "Parameters: {P: {Type: String, NoEcho: true, MaxLength: 2}}\n")

    assert "a:b" in wrong(text)
    assert "geheim" not in wrong(secret, P="geheim")


def test_numbers_booleans_and_texts_are_taken_for_one_another() -> None:
    """A parameter is always a text, and YAML takes an unquoted version for a number."""
    text = one(
        "{BackendDefaults: {ClientPolicy: {TLS: {Enforce: !Ref E}}}, ServiceDiscovery: {DNS: {Hostname: 7}}}",
        "Parameters: {E: {Type: String, Default: true}}\n",
    ).replace(
        "VirtualNodeName: n,", "VirtualNodeName: n, Tags: [{Key: version, Value: 1.5}, {Key: canary, Value: true}],"
    )

    [node] = read(text)

    assert True is node.spec["backendDefaults"]["clientPolicy"]["tls"]["enforce"]
    assert "7" == node.spec["serviceDiscovery"]["dns"]["hostname"]
    assert {"version": "1.5", "canary": "true"} == node.tags


def as_properties(value: Any) -> Any:
    """A document of the API as a template spells it."""
    if isinstance(value, dict):
        return {property_name(name): as_properties(item) for name, item in value.items()}
    return [as_properties(item) for item in value] if isinstance(value, list) else value


@given(meshes())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_every_document_can_be_said_as_a_template(mesh: list[tuple[Key, Document]]) -> None:
    """All kinds and fields: what a template says in properties is what it declares, in YAML as in JSON."""
    resources = {
        f"R{number}": {
            "Type": f"AWS::AppMesh::{KINDS[key.kind].title}",
            "Properties": as_properties(document(DeclaredResource(key, spec))),
        }
        for number, (key, spec) in enumerate(mesh)
    }
    wanted: dict[Key, tuple[Document, dict[str, str]]] = {key: (spec, {}) for key, spec in mesh}

    for text, file in ((as_yaml([{"Resources": resources}]), "x.yaml"), (as_json({"Resources": resources}), "x.json")):
        assert wanted == {one.key: (one.spec, one.tags) for one in declared_resources(documents(text, file))}


def test_aliases_of_short_forms_stay_what_they_are() -> None:
    """One node used twice by YAML's aliases is the same function in both places."""
    text = one("{Logging: {AccessLog: {File: &f {Path: !Sub '${AWS::Region}', Format: {Text: *t}}}}}").replace(
        "MeshName: m", "MeshName: &t !Sub 'x-${AWS::Region}'"
    )

    [node] = read(text)

    assert "x-us-east-1" == node.key.mesh == node.spec["logging"]["accessLog"]["file"]["format"]["text"]
