// Search from everywhere: / or Ctrl-K, in any page. A dialog with a combobox (WAI-ARIA); what was opened
// lately is kept in this browser by its number only, and asked for anew each time.
"use strict";

(() => {
    const PAUSE = 120; // milliseconds after a letter
    const RECENT = 8;

    document.addEventListener("DOMContentLoaded", () => {
        const dialog = document.querySelector("[data-find]");
        if (dialog) palette(dialog);
    });

    const typing = (place) => place.closest?.("input, textarea, select, [contenteditable]:not([contenteditable=false])");

    function make(tag, attributes, ...children) {
        const made = document.createElement(tag);
        for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
        made.append(...children);
        return made;
    }

    function palette(dialog) {
        const input = dialog.querySelector("input");
        const list = dialog.querySelector("[role=listbox]");
        const said = dialog.querySelector("[data-find-said]");
        const status = dialog.querySelector("[data-find-status]");
        const kept = `rg-recent-${dialog.dataset.owner}`;
        let options = [];
        let active = -1;
        let asked = null;
        let timer = 0;
        let shown = null; // what the list answers

        document.addEventListener("keydown", (event) => {
            const command = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
            const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !typing(event.target);
            if (!command && !slash) return;
            if (slash && document.querySelector("dialog[open]")) return;
            event.preventDefault();
            open();
        });
        for (const button of document.querySelectorAll("[data-find-open]")) button.addEventListener("click", open);
        dialog.querySelector("[data-find-close]").addEventListener("click", () => dialog.close());
        dialog.addEventListener("mousedown", (event) => { if (event.target === dialog) dialog.close(); });
        dialog.addEventListener("close", () => asked?.abort());
        input.addEventListener("input", () => {
            clearTimeout(timer);
            timer = setTimeout(ask, PAUSE);
        });
        input.addEventListener("keydown", press);
        list.addEventListener("pointermove", (event) => {
            const at = options.indexOf(event.target.closest("a"));
            if (at >= 0 && at !== active) mark(at, false);
        });
        list.addEventListener("click", (event) => remember(event.target.closest("a")));
        dialog.querySelector("form").addEventListener("submit", (event) => {
            // What Enter means is decided in `press`, once the answer to what stands there has come.
            event.preventDefault();
        });

        function open() {
            if (!dialog.open) dialog.showModal();
            input.select();
            input.focus();
            ask();
        }

        const recent = () => (localStorage.getItem(kept) ?? "").split(",").filter(Boolean);

        function remember(option) {
            const key = option?.dataset.key;
            if (key) localStorage.setItem(kept, [key, ...recent().filter((one) => one !== key)].slice(0, RECENT).join(","));
        }

        async function ask() {
            clearTimeout(timer);
            asked?.abort();
            const text = input.value.trim();
            const query = text ? { q: text } : { recent: recent().join(",") };
            asked = new AbortController();
            list.setAttribute("aria-busy", "true");
            try {
                const address = `${dialog.dataset.find}?${new URLSearchParams(query)}`;
                const answer = await fetch(address, { signal: asked.signal, redirect: "error", headers: { Accept: "application/json" } });
                if (!answer.ok) throw new Error(answer.status);
                show(await answer.json(), text);
            } catch (error) {
                if (error.name === "AbortError") return;
                show({ groups: [] }, text);
                said.textContent = dialog.dataset.failed;
            }
            list.removeAttribute("aria-busy");
        }

        function show({ groups }, text) {
            shown = text;
            options = [];
            const made = groups.map((group, number) => {
                const label = make("div", { id: `rg-find-${number}`, class: "rg-find-label", role: "presentation" }, group.label);
                const hits = group.hits.map((hit) => {
                    const icon = make("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, hit.icon);
                    const option = make("a", {
                        id: `rg-find-option-${options.length}`, role: "option", href: hit.href, tabindex: "-1", "aria-selected": "false", "data-key": hit.key,
                    }, icon, make("b", {}, hit.title), make("small", {}, hit.detail));
                    options.push(option);
                    return option;
                });
                return make("div", { role: "group", "aria-labelledby": label.id }, label, ...hits);
            });
            list.replaceChildren(...made);
            input.setAttribute("aria-expanded", String(options.length > 0));
            said.textContent = text && !options.length ? dialog.dataset.nothing : "";
            status.textContent = text ? (options.length ? dialog.dataset.found.replace("{number}", options.length) : dialog.dataset.nothing) : "";
            mark(options.length && text ? 0 : -1);
        }

        function mark(at, scroll = true) {
            options[active]?.setAttribute("aria-selected", "false");
            active = at;
            const option = options[at];
            option?.setAttribute("aria-selected", "true");
            if (scroll) option?.scrollIntoView({ block: "nearest" });
            if (option) input.setAttribute("aria-activedescendant", option.id);
            else input.removeAttribute("aria-activedescendant");
        }

        async function press(event) {
            const count = options.length;
            if (event.key === "ArrowDown" && count) mark((active + 1) % count);
            else if (event.key === "ArrowUp" && count) mark((active - 1 + count) % count);
            else if (event.key === "Enter" && !event.isComposing) {
                event.preventDefault();
                // Whoever types fast means the answer to all of it.
                if (shown !== input.value.trim()) await ask();
                const option = options[active];
                if (!option) return;
                remember(option);
                if (event.ctrlKey || event.metaKey) window.open(option.href, "_blank", "noopener");
                else location.assign(option.href);
                return;
            } else return;
            event.preventDefault();
        }
    }
})();
