"""Templates as people have them: much that is not App Mesh's, and several mistakes at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopmesh.appmesh.store import Key
from shopmesh.client.check import check
from shopmesh.documents import (
    DeclaredResource,
    DocumentError,
    TemplateOptions,
    declared_resources,
    documents,
)
from shopmesh.documents.cloudformation.problems import MOST_PROBLEMS

CDK = Path(__file__).parent / "cdk.template.json"


def read(text: str, **parameters: str) -> list[DeclaredResource]:
    return declared_resources(documents(text, "t.yaml"), options=TemplateOptions(parameters))


def errors(text: str, **parameters: str) -> list[str]:
    with pytest.raises(DocumentError) as refused:
        read(text, **parameters)
    return [line.removeprefix("t.yaml, document 1, ") for line in str(refused.value).splitlines()]


def test_what_cdk_synthesises_loads_as_it_is() -> None:
    """With its bootstrap's parameter, which a Rule alone reads. The file has the form of CDK v2's output."""
    found = {one.key: one.spec for one in check(documents(CDK.read_text(), CDK.name)).resources}

    assert Key("route", ("shop", "ShopRouter6F7A8B9C", "ShopRoute5D6E7F80")) in found
    node = found[Key("virtualNode", ("shop", "ShopProductNode29A0B1C2"))]
    assert {"namespaceName": "shop.local", "serviceName": "product"} == node["serviceDiscovery"]["awsCloudMap"]


FOREIGN = """\
Parameters:
  KeyPair: {Type: String}
  Size: {Type: String, Default: huge, AllowedValues: [small]}
  MeshName: {Type: String}
Conditions:
  Odd: !Equals [!Ref KeyPair, x]
Resources:
  Mesh: {Type: AWS::AppMesh::Mesh, Properties: {MeshName: !Ref MeshName}}
  Bastion: {Type: AWS::EC2::Instance, Condition: Odd, Properties: {KeyName: !Ref KeyPair, InstanceType: !Ref Size}}
"""


def test_only_values_that_app_meshs_resources_read_are_asked_for() -> None:
    """Neither a missing value nor one that is not allowed matters to resources that are skipped; giving it is fine."""
    assert [Key("mesh", ("m",))] == [one.key for one in read(FOREIGN, MeshName="m")]
    assert [Key("mesh", ("m",))] == [one.key for one in read(FOREIGN, MeshName="m", KeyPair="mine")]
    assert ["line 4, Parameters.MeshName: has no default; give it by --parameter MeshName=VALUE"] == errors(FOREIGN)


def test_an_attribute_that_stands_in_the_template_is_taken_from_it() -> None:
    """A property of a foreign resource; what the user gives goes before it, and what is not there must be given."""
    text = """\
Parameters: {Domain: {Type: String, Default: shop.local}}
Resources:
  N:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: m
      Spec: {ServiceDiscovery: {AWSCloudMap: {NamespaceName: !GetAtt Space.Name, ServiceName: !GetAtt Space.Id}}}
  Space: {Type: AWS::ServiceDiscovery::HttpNamespace, Properties: {Name: !Sub 'a.${Domain}'}}
"""
    [here] = read(text, **{"Space.Id": "ns-1"})
    [given] = read(text, **{"Space.Id": "ns-1", "Space.Name": "other"})

    assert {"namespaceName": "a.shop.local", "serviceName": "ns-1"} == here.spec["serviceDiscovery"]["awsCloudMap"]
    assert "other" == given.spec["serviceDiscovery"]["awsCloudMap"]["namespaceName"]
    [error] = errors(text)
    assert error.endswith("give the value by --parameter 'Space.Id=VALUE'")


SEVERAL = """\
Parameters:
  A: {Type: String}
  B: {Type: Number, Default: x}
Resources:
  Mesh:
    Type: AWS::AppMesh::Mesh
    Properties: {MeshName: !Ref A, Owner: me}
  N:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: !Sub '${A}-${Mesh.MeshName}'
      Spec:
        Listeners:
          - PortMapping: {Port: !Select [0, [!Ref B]], Protocol: !If [Missing, http, tcp]}
            outlierDetection: {}
        ServiceDiscovery: {AWSCloudMap: {NamespaceName: !ImportValue ns, ServiceName: !Join ['', [!ImportValue ns]]}}
  Unknown: {Type: AWS::AppMesh::Node}
"""


def test_all_problems_of_a_template_are_said_at_once() -> None:
    """Each once, at its line, and nothing that only follows from another."""
    assert [
        "line 2, Parameters.A: has no default; give it by --parameter A=VALUE",
        "line 7, Resources.Mesh.Properties.Owner: unknown property; known are MeshName, Spec, Tags",
        "line 3, Parameters.B: 'x' is not a number; give another by --parameter B=VALUE",
        "line 14, Resources.N.Properties.Spec.Listeners[0].PortMapping.Protocol.Fn::If[0]: there is no condition"
        " 'Missing'; no name is allowed here",
        "line 16, Resources.N.Properties.Spec.ServiceDiscovery.AWSCloudMap.NamespaceName.Fn::ImportValue: ns is"
        " exported by another stack; give the value by --parameter 'ns=VALUE'",
        "line 15, Resources.N.Properties.Spec.Listeners[0].outlierDetection: unknown property; did you mean"
        " 'OutlierDetection'?",
        "line 17, Resources.Unknown.Type: 'AWS::AppMesh::Node' is unknown; did you mean 'AWS::AppMesh::Route'?",
    ] == errors(SEVERAL)


@pytest.mark.parametrize(
    "use",
    [
        "!Sub '${A}-${B}'",
        "!Join ['', [!Ref A, !Ref B]]",
        "!Select [!Ref A, !Split [!Ref B, x]]",
        "!If [Both, a, b]",
        "!FindInMap [!Ref A, !Ref B, c]",
    ],
)
def test_all_values_that_one_text_is_made_of_are_asked_for(use: str) -> None:
    """Whichever function puts them together."""
    text = (
        "Parameters: {A: {Type: String}, B: {Type: String}}\n"
        "Conditions: {Both: !And [!Equals [!Ref A, x], !Not [!Equals [x, !Ref B]]]}\n"
        f"Resources: {{M: {{Type: AWS::AppMesh::Mesh, Properties: {{MeshName: {use}}}}}}}\n"
    )
    assert ["A", "B"] == sorted(line.rpartition("--parameter ")[2].removesuffix("=VALUE") for line in errors(text))


def test_problems_of_all_documents_are_said_at_once() -> None:
    """Of several templates, and of manifests beside them."""
    manifest = "apiVersion: appmesh.k8s.aws/v1beta2\nkind: VirtualNode\nmetadata: {name: n}\nspec: {awsName: 1}\n"
    texts = {"a.yaml": FOREIGN, "b.yaml": FOREIGN, "c.yaml": manifest}
    with pytest.raises(DocumentError) as refused:
        declared_resources([one for name, text in texts.items() for one in documents(text, name)], "m")

    assert ["a.yaml", "b.yaml", "c.yaml"] == [line.partition(",")[0] for line in str(refused.value).splitlines()]


@pytest.mark.parametrize("use", ["!Ref Gone", "!Ref P", "!ImportValue x", "!GetAtt Loop.MeshName", "!If [C, 1, 2]"])
def test_a_template_with_very_many_problems_is_given_up(use: str) -> None:
    """Each place takes time to find, so the evaluation ends after enough of them."""
    text = (
        "Parameters: {P: {Type: String}}\nConditions: {C: !Not [{Condition: C}]}\nResources:\n"
        "  Loop: {Type: AWS::AppMesh::Mesh, Properties: {MeshName: !GetAtt Loop.MeshName}}\n"
    )
    text += "".join(
        f"  N{number}: {{Type: AWS::AppMesh::Mesh, Properties: {{MeshName: {use}}}}}\n" for number in range(3000)
    )

    with pytest.raises(DocumentError) as refused:
        read(text)

    assert len(getattr(refused.value, "errors", ())) <= MOST_PROBLEMS


def test_the_api_s_spelling_is_read_where_awss_own_template_has_it() -> None:
    """Its walkthrough of outlier detection was written for the preview."""
    text = """\
Resources:
  N:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: m
      Spec:
        ServiceDiscovery: {DNS: {Hostname: n.local}}
        Listeners:
          - PortMapping: {Port: 80, Protocol: http}
            OutlierDetection:
              maxServerErrors: 5
              maxEjectionPercent: 100
              interval: {value: 30, unit: s}
              baseEjectionDuration: {value: 5, unit: s}
"""
    assert (
        30
        == check(documents(text, "t.yaml")).resources[0].spec["listeners"][0]["outlierDetection"]["interval"]["value"]
    )
