import { html } from "../../lib.js";
import { Empty } from "../../components/basic.js";

export const Page = () => html`<h1>Findings</h1><${Empty} title="This page comes soon" />`;
