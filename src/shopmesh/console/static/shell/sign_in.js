// What is shown while nobody is signed in: the command that opens the console. No key is typed into this page.

import { html } from "../lib.js";
import { Command } from "../components/basic.js";
import { signInProblem } from "../data/session.js";

export const SignIn = ({ open }) =>
  html`<main class="alone" id="content">
    <img src="static/icon.svg" alt="" width="40" height="40" />
    <h1>Sign in to the console</h1>
    ${signInProblem.value && html`<p class="notice bad" role="alert">${signInProblem.value.message}</p>`}
    <p>Where the mesh runs, in a terminal:</p>
    <p><${Command} text="shopmesh console" /></p>
    <p>It opens this page signed in, by a link that works once and for a minute. With Docker Compose:</p>
    <p><${Command} text="docker compose run --rm cli console" /></p>
    <p class="muted">Were you signed in before? A session ends after twelve hours, and when its access key is removed.</p>
    <p><button type="button" onClick=${open}>Try again</button></p>
  </main>`;
