// Starts the console: who is signed in, then the stream, then the page that the address names.

import { html, render } from "./lib.js";
import { start } from "./data/live.js";
import { signIn } from "./data/session.js";
import "./data/theme.js";
import { App } from "./shell/app.js";

const open = async () => {
  if (await signIn()) start();
};

// A link that is followed in a tab which shows the console already loads nothing anew.
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#code=")) open();
});
await open();
render(html`<${App} open=${open} />`, document.getElementById("app"));
