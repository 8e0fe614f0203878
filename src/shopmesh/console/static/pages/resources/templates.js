// What the text area begins with for a new resource: the smallest manifest that a mesh can use.

const manifest = (kind, name, spec) => `apiVersion: appmesh.k8s.aws/v1beta2
kind: ${kind}
metadata:
  name: ${name}
${kind === "Mesh" ? "" : "  namespace: default\n"}spec:
${spec}`;

const PORT = `  listeners:
    - portMapping:
        port: 5000
        protocol: http
`;

export const TEMPLATES = {
  mesh: manifest("Mesh", "my-mesh", "  egressFilter:\n    type: DROP_ALL\n"),
  virtualNode: manifest(
    "VirtualNode",
    "my-node",
    `  awsName: my-node
${PORT}  serviceDiscovery:
    dns:
      hostname: my-node.default.svc.cluster.local
`,
  ),
  virtualRouter: manifest(
    "VirtualRouter",
    "my-router",
    `  awsName: my-router
${PORT}  routes:
    - name: all
      httpRoute:
        match:
          prefix: /
        action:
          weightedTargets:
            - virtualNodeRef:
                name: my-node
              weight: 100
`,
  ),
  virtualService: manifest(
    "VirtualService",
    "my-service",
    `  awsName: my-service.default.svc.cluster.local
  provider:
    virtualRouter:
      virtualRouterRef:
        name: my-router
`,
  ),
  virtualGateway: manifest(
    "VirtualGateway",
    "my-gateway",
    `  awsName: my-gateway
  listeners:
    - portMapping:
        port: 8088
        protocol: http
  gatewayRouteSelector:
    matchLabels:
      gateway: my-gateway
  namespaceSelector: {}
`,
  ),
  gatewayRoute: `apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata:
  name: my-gateway-route
  namespace: default
  labels:
    gateway: my-gateway
spec:
  awsName: my-gateway-route
  httpRoute:
    match:
      prefix: /
    action:
      target:
        virtualService:
          virtualServiceRef:
            name: my-service
`,
};
