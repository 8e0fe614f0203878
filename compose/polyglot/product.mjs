// Product 3.0 in another language: what a service must do to be in the mesh is to listen, to say when it is ready, and to
// pass trace headers on (it calls nobody, so there are none to pass).
import { createServer } from "node:http";

const VERSION = "3.0";
const products = ["Espresso machine", "Coffee grinder", "Milk frother", "Cup"].map((name, at) => ({ id: at + 1, name, language: "JavaScript" }));
let ready = true;

function answer(path) {
  if (path === "/healthz") return [200, { status: "ok" }];
  if (path === "/readyz") return ready ? [200, { status: "ready" }] : [503, { status: "not ready" }];
  if (path === "/") return [200, { Service: "Product", Version: "VERSION" }];
  if (path === "/products") return [200, { products }];
  const found = products.find(({ id }) => path === `/products/${id}`);
  return found ? [200, found] : [404, { error: { status: 404, reason: "Not Found", message: `there is no ${path}` } }];
}

const server = createServer((request, response) => {
  const [status, document] = answer(new URL(request.url, "http://product").pathname);
  // A version is written as a number with its fraction, as the other languages' services do; JSON.stringify drops it.
  const body = JSON.stringify(document).replace('"VERSION"', VERSION) + "\n";
  response.writeHead(status, { "content-type": "application/json", "x-service-version": `product/${VERSION}` });
  response.end(body);
});
server.keepAliveTimeout = 75_000; // Longer than its sidecar keeps a connection, so that it is never the one to close.
server.listen(5000, "0.0.0.0");

process.on("SIGTERM", () => {
  ready = false;
  // As long as it takes until every caller knows that it is not ready any more.
  setTimeout(() => { server.close(() => process.exit(0)); server.closeIdleConnections(); }, 3000);
});
