// What the page asks the control plane, behind the console's own door. Nothing here holds a key.
//
// A session is a cookie and a page token together: a browser sends the cookie to every port of the host, so another
// program there can see it; the storage of this page belongs to this port alone.

import { signal } from "../lib.js";

const BASE = "/console";
const PAGE_TOKEN = "shopmesh-console-page-token";

/** True from the moment at which an answer said that nobody is signed in. */
export const signedOut = signal(false);

/**
 * A request that was refused or not answered. `status` 0: no answer. `code` is the API's name of the error, `document`
 * the whole JSON of the refusal.
 */
export class ApiError extends Error {
  constructor(status, code, message, document = {}) {
    super(message);
    Object.assign(this, { status, code, document });
  }
}

/** Keep the token that signing in returned; null: forget it. */
export function keepPageToken(token) {
  if (token === null) localStorage.removeItem(PAGE_TOKEN);
  else localStorage.setItem(PAGE_TOKEN, token);
}

const pageToken = () => localStorage.getItem(PAGE_TOKEN) ?? "none";

/** The address of an event stream below `/console/api`: a browser adds no header to its request. */
export const streamAddress = (path) => `${BASE}/api${path}?page-token=${encodeURIComponent(pageToken())}`;

/** The JSON answer (null if it has no body) to a request below `/console`; `path` begins with `/`. */
export async function request(method, path, body) {
  const headers = { accept: "application/json", "x-shopmesh-console": pageToken() };
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(BASE + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch {
    throw new ApiError(0, "NoAnswer", "The control plane does not answer.");
  }
  const text = await answer.text();
  if (answer.ok) return text === "" ? null : JSON.parse(text);
  if (answer.status === 401) signedOut.value = true;
  throw refusal(answer, text);
}

function refusal(answer, text) {
  let said = {};
  try {
    said = JSON.parse(text) ?? {};
  } catch {
    said = { message: text.slice(0, 500) };
  }
  const code = answer.headers.get("x-amzn-errortype")?.split(":")[0] ?? said.code ?? said.__type ?? answer.statusText;
  const message = said.message ?? said.error ?? `The control plane answered ${answer.status}.`;
  return new ApiError(answer.status, code, String(message), said);
}

/** What the control plane's own routes answer, such as `/shopmesh/v1/proxies`. */
export const get = (path) => request("GET", `/api${path}`);
export const send = (method, path, body) => request(method, `/api${path}`, body);
