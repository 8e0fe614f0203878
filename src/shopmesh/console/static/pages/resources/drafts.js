// Texts that are being edited, by what they are of; another page and back loses none. Closing the window asks first.

const drafts = new Map();

/** The draft of that name; made by `make` the first time: {text, base, read}. */
export function draftOf(name, make) {
  if (!drafts.has(name)) drafts.set(name, make());
  return drafts.get(name);
}

export const hasDraft = (name) => drafts.has(name);

export const keepDraft = (name, draft) => drafts.set(name, draft);

export const dropDraft = (name) => drafts.delete(name);

addEventListener("beforeunload", (event) => {
  if ([...drafts.values()].some(({ text, read }) => text !== read)) event.preventDefault();
});
