// Light, dark, or as the system says; remembered in this browser.

import { effect, signal } from "../lib.js";

const KEY = "shopmesh-theme";
export const THEMES = ["automatic", "light", "dark"];

const remembered = localStorage.getItem(KEY);
export const theme = signal(THEMES.includes(remembered) ? remembered : THEMES[0]);

effect(() => {
  document.documentElement.dataset.theme = theme.value;
  localStorage.setItem(KEY, theme.value);
});

export const nextTheme = () => (theme.value = THEMES[(THEMES.indexOf(theme.peek()) + 1) % THEMES.length]);
