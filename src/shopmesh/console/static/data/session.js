// Who is signed in, and what they may do.

import { computed, signal } from "../lib.js";
import { keepPageToken, request, signedOut } from "./api.js";

/** {accessKey, mode, expires, version}, or null while nobody is signed in. */
export const session = signal(null);
/** True where the console may only look. */
export const readOnly = computed(() => session.value?.mode === "read-only");

/** Why nobody could be signed in: an ApiError, or null. A mere missing cookie is none. */
export const signInProblem = signal(null);

/** Trade the code of `#code=…` for a session, and take it out of the address so that it is in no history. */
async function trade(code) {
  history.replaceState(null, "", location.pathname);
  try {
    const { pageToken } = await request("POST", "/sign-in", { code });
    keepPageToken(pageToken);
  } catch (error) {
    signInProblem.value = error;
  }
}

/** Find out who is signed in. True if somebody is. */
export async function signIn() {
  signInProblem.value = null;
  const code = /^#code=(.+)$/.exec(location.hash)?.[1];
  if (code) await trade(decodeURIComponent(code));
  try {
    session.value = await request("GET", "/session");
    signedOut.value = false;
  } catch (error) {
    session.value = null;
    if (error.status !== 401) signInProblem.value = error;
  }
  return session.value !== null;
}

export async function signOut() {
  await request("POST", "/sign-out");
  keepPageToken(null);
  session.value = null;
  signedOut.value = true;
}
