// The last answers of a proxy: what it acknowledged, what it refused, and why.

import { html } from "../../lib.js";
import { Badge, Empty, Loading, Problem, Time } from "../../components/basic.js";
import { milliseconds, printable } from "../../data/format.js";
import { useAnswer } from "../../data/answer.js";
import { short } from "./model.js";

const Response = ({ response }) =>
  html`<tr class=${response.ack ? "" : "bad"}>
    <td><${Time} at=${response.at} /></td>
    <td>${response.type}</td>
    <td><${Badge} kind=${response.ack ? "good" : "bad"}>${response.ack ? "ACK" : "NACK"}</${Badge}></td>
    <td><code class="proxies-version" title=${response.version}>${short(response.version)}</code></td>
    <td class="end">${milliseconds(response.milliseconds)}</td>
    <td><bdi class="proxies-said">${response.message && printable(response.message)}</bdi></td>
  </tr>`;

function Rows({ responses }) {
  if (responses.length === 0) return html`<${Empty} title="No answer is remembered">The next ACK or NACK of this proxy appears here.</${Empty}>`;
  return html`<div class="table-scroll proxies-responses" tabindex="0" role="region" aria-label="Table of the last answers"><table>
    <caption class="only-read">The last answers of the proxy, newest first</caption>
    <thead><tr><th scope="col">When</th><th scope="col">Type</th><th scope="col">Answer</th><th scope="col">Version</th>
      <th scope="col" class="end">After</th><th scope="col">What Envoy said</th></tr></thead>
    <tbody>${responses.map((one, index) => html`<${Response} key=${`${one.at} ${one.type} ${index}`} response=${one} />`)}</tbody>
  </table></div>`;
}

export function Responses({ path, version }) {
  const { answer, error, loading, again } = useAnswer(`${path}/responses`, version);
  return html`<section class="stack" aria-labelledby="responses-title">
    <div class="row"><h2 id="responses-title">Last answers</h2>
      <span class="muted small">the last 20, kept in memory: a restart of the control plane loses them</span></div>
    ${error && html`<${Problem} error=${error} retry=${again} />`}
    ${loading && html`<${Loading} what="the last answers" />`}
    ${answer && html`<${Rows} responses=${answer.responses} />`}
  </section>`;
}
