// One finding: where, what, why, what to do.

import { html } from "../../lib.js";
import { Badge } from "../../components/basic.js";
import { ResourceLink } from "../../components/resource_link.js";
import { printable } from "../../data/format.js";
import { keyHref } from "../../data/resources.js";

const KIND_OF = { error: "bad", warning: "warn" };

/** Text in which `code` stands in code, as findings write commands and fields. */
const WithCode = ({ text }) =>
  html`${printable(text)
    .split("`")
    .map((part, index) => (index % 2 ? html`<code key=${index}>${part}</code>` : part))}`;

const Place = ({ finding }) =>
  keyHref(finding)
    ? html`<${ResourceLink} kind=${finding.kind} path=${finding.path} />`
    : html`<bdi class="name">${printable(finding.where)}</bdi>`;

/** The page of the documentation, which comes with the program; the console links to no other address. */
const Page = ({ docs, code }) => html`<code>${docs.split("#")[0]}</code>, section ${code}`;

export function Finding({ finding }) {
  return html`<li class=${`card finding ${finding.severity}`}>
    <div class="row">
      <${Badge} kind=${KIND_OF[finding.severity] ?? ""}>${finding.severity}</${Badge}>
      <code class="muted">${finding.code}</code>
      <${Place} finding=${finding} />
    </div>
    <h2><bdi><${WithCode} text=${finding.what} /></bdi></h2>
    <dl class="facts">
      <dt>Why it matters</dt><dd><${WithCode} text=${finding.why} /></dd>
      <dt>What to do</dt><dd><${WithCode} text=${finding.fix} /></dd>
      <dt>More</dt><dd><${Page} ...${finding} /></dd>
    </dl>
  </li>`;
}
