"""CloudFormation templates with `AWS::AppMesh::*`: what they declare, without a stack.

    template ─► short forms spelled out ─► parameters ─► conditions, functions ─► property names ─► Declared …

What follows from the file and the parameters is read; what only a stack knows is refused with the place and
what to give instead. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_AppMesh.html

Start reading at `template`.
"""

from shopmesh.documents.cloudformation.properties import field_name, property_name
from shopmesh.documents.cloudformation.template import (
    TemplateOptions,
    foreign_resources,
    is_template,
    template_resources,
)

__all__ = ["TemplateOptions", "field_name", "foreign_resources", "is_template", "property_name", "template_resources"]
