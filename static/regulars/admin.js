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

// Select2 draws boxes of its own in place of a select, without the name that the select's label gives.
(() => {
    function name() {
        for (const select of document.querySelectorAll("select.select2-hidden-accessible")) {
            const label = select.labels[0]?.textContent.replace("*", "").trim() || select.getAttribute("aria-label");
            const box = select.nextElementSibling;
            if (!label || !box?.matches(".select2-container")) continue;
            const parts = box.querySelectorAll("[role=combobox], [role=textbox], .select2-search__field");
            for (const part of parts) {
                part.setAttribute("aria-label", label);
                part.removeAttribute("aria-labelledby");
            }
        }
    }
    // Whenever one is drawn: at first, in a new row of a form, in a dialog.
    const drawn = (change) => [...change.addedNodes].some((one) => one.matches?.(".select2-container"));
    new MutationObserver((changes) => { if (changes.some(drawn)) name(); })
        .observe(document, { childList: true, subtree: true });
    document.addEventListener("DOMContentLoaded", name);
})();
