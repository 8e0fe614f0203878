// What is shown while nobody is signed in: the command that opens the console. No key is typed into this page.

import { html } from "../lib.js";
import { Command, Refusal } from "../components/basic.js";
import { signInProblem } from "../data/session.js";

export const SignIn = ({ open }) =>
  html`<main class="alone" id="content">
    <img src="static/icon.svg" alt="" width="40" height="40" />
    <h1>Sign in to the console</h1>
    <${Refusal} error=${signInProblem.value} />
    <p>On the machine where the mesh runs, in a terminal:</p>
    <p><${Command} text="shopmesh console" /></p>
    <p>It opens this page by a link that works once, within a minute. In containers and in a cluster it prints the link:</p>
    <p><${Command} text="docker compose exec control-plane shopmesh console" /></p>
    <p><${Command} text="kubectl -n shopmesh-system exec deploy/control-plane -- shopmesh console" /></p>
    <p class="muted">Were you signed in before? A session ends after twelve hours, and when its access key is removed.</p>
    <p><button type="button" onClick=${open}>Try again</button></p>
  </main>`;
