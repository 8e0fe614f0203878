import { html } from "../../lib.js";
import { Empty } from "../../components/basic.js";

export const Page = () => html`<h1>Resources</h1><${Empty} title="This page comes soon" />`;
