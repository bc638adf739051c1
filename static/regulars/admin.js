// The few things that our own pages do without a reload. No inline scripts: the CSP refuses them.
"use strict";

document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
});

document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    await navigator.clipboard.writeText(source.textContent.trim());
    button.textContent = button.dataset.copied;
});

// A page that shows a secret once: reloading it must not make another one.
document.addEventListener("DOMContentLoaded", () => {
    const once = document.querySelector("[data-once]");
    if (once) history.replaceState(null, "", once.dataset.once);
});
