// Pages on which one works without leaving them: small forms that are sent in the background, parts
// that are shown anew after that, tabs, and things to copy.
//
// <div data-rg-live="address">: the parts of the page, each with an id, come anew from there.
// <form data-rg-act>: sent in the background; with data-rg-reset it is emptied afterwards.
// <li data-rg-alone="address">: shown anew by itself when a form within was sent.
// <p role="status" data-rg-status>: where it is told what was done.
"use strict";

(() => {
    const HEADERS = { "X-Regulars": "page" };
    const parser = new DOMParser();

    const parsed = async (address) => {
        const answer = await fetch(address, { headers: HEADERS });
        if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
        return parser.parseFromString(await answer.text(), "text/html");
    };

    function tell(text) {
        const status = document.querySelector("[data-rg-status]");
        if (!status) return;
        status.textContent = "";
        // A screen reader hears only of what changes.
        setTimeout(() => { status.textContent = text; }, 50);
        status.classList.add("rg-told");
        clearTimeout(tell.timer);
        tell.timer = setTimeout(() => status.classList.remove("rg-told"), 4000);
    }

    /** Put what came in the place of what is there, part by part, and the focus back where it was. */
    function swap(fresh) {
        const focused = document.activeElement;
        const lost = [];
        for (const part of [...fresh.body.children].filter((one) => one.id)) {
            const old = document.getElementById(part.id);
            if (!old) continue;
            if (old.contains(focused) && focused !== document.body) lost.push(part.id);
            old.replaceWith(document.adoptNode(part));
        }
        if (!lost.length) return;
        const again = focused.id && document.getElementById(focused.id);
        const part = document.getElementById(lost[0]);
        const next = again || part.querySelector("input:not([type=hidden]), a[href], button");
        next?.focus({ preventScroll: true });
    }

    /** Show the page's parts anew; `query` goes to the address with it. */
    async function refresh(query = {}) {
        const live = document.querySelector("[data-rg-live]");
        if (!live) return;
        const address = new URL(live.dataset.rgLive, location.href);
        for (const [name, value] of Object.entries(query)) {
            if (value) address.searchParams.set(name, value);
        }
        swap(await parsed(address));
        document.dispatchEvent(new CustomEvent("regulars:refreshed"));
    }

    /** Show one entry anew, or take it away when it is gone. */
    async function again(entry) {
        const fresh = (await parsed(entry.dataset.rgAlone)).getElementById(entry.id);
        if (fresh) {
            entry.replaceWith(document.adoptNode(fresh));
            const shown = document.getElementById(fresh.id);
            shown.querySelector("summary, button, a[href]")?.focus({ preventScroll: true });
            return;
        }
        const day = entry.closest("[data-day]");
        entry.remove();
        if (day && !day.querySelector("[data-rg-alone]")) day.remove();
    }

    // Errors, beside their fields.

    let errors = 0;

    function clear(form) {
        for (const line of form.querySelectorAll(".rg-error")) line.remove();
        for (const field of form.querySelectorAll("[aria-invalid]")) {
            field.removeAttribute("aria-invalid");
            const others = (field.getAttribute("aria-describedby") ?? "").split(" ")
                .filter((id) => !id.startsWith("rg-error-"));
            if (others.join("")) field.setAttribute("aria-describedby", others.join(" "));
            else field.removeAttribute("aria-describedby");
        }
    }

    function complain(form, found) {
        let first = null;
        for (const [name, lines] of Object.entries(found)) {
            const place = form.querySelector(`[data-field="${CSS.escape(name)}"]`);
            const field = place?.querySelector("input, select, textarea");
            const line = document.createElement("p");
            line.className = "rg-error";
            line.id = `rg-error-${++errors}`;
            line.textContent = lines.join(" ");
            if (!field) line.setAttribute("role", "alert");
            (place ?? form).append(line);
            if (!field) continue;
            field.setAttribute("aria-invalid", "true");
            const described = field.getAttribute("aria-describedby");
            field.setAttribute("aria-describedby", [described, line.id].filter(Boolean).join(" "));
            first ??= field;
        }
        first?.focus();
    }

    /** The token that the server takes now: it is another one when somebody signed in again. */
    function token() {
        return /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1];
    }

    /** What the page says of something that went wrong. */
    const said = (name) => document.querySelector("[data-rg-live]")?.dataset[name] ?? "…";

    async function post(form, submitter) {
        const body = new FormData(form, submitter);
        if (token()) body.set("csrfmiddlewaretoken", token());
        const buttons = [...form.querySelectorAll("button")];
        for (const button of buttons) button.disabled = true;
        try {
            return await fetch(form.action, { method: "POST", headers: HEADERS, body });
        } catch {
            complain(form, { "": [said("rgSilent")] }); // nothing that was typed is lost
            return null;
        } finally {
            for (const button of buttons) button.disabled = false;
        }
    }

    async function send(form, submitter) {
        clear(form);
        const answer = await post(form, submitter);
        if (!answer) return;
        if (answer.redirected) {
            complain(form, { "": [said("rgSignedOut")] });
            return;
        }
        if (!answer.ok) {
            form.submit(); // the page says it: not allowed, not there any more
            return;
        }
        const { done, errors: wrong } = await answer.json();
        if (wrong) {
            complain(form, wrong);
            return;
        }
        if ("rgReset" in form.dataset) {
            form.reset();
            form.dispatchEvent(new CustomEvent("regulars:reset", { bubbles: true }));
        }
        const entry = form.closest("[data-rg-alone]");
        const timeline = document.querySelector("[data-rg-timeline]");
        try {
            if (entry) await again(entry);
            await refresh(entry ? { entries: "no" } : { kind: timeline?.dataset.rgKind });
            tell(done);
        } catch {
            location.reload();
        }
    }

    document.addEventListener("submit", (event) => {
        const form = event.target.closest("form[data-rg-act]");
        if (!form) return;
        event.preventDefault();
        send(form, event.submitter);
    });

    // Ctrl-Enter sends what one is writing.
    document.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
        const form = event.target.closest("form[data-rg-act]");
        if (form) form.requestSubmit();
    });

    // Tabs (WAI-ARIA's pattern: arrows go from one to the next). A list that names a parameter keeps
    // the chosen one in the address.

    function choose(tab, focus) {
        const list = tab.closest("[data-rg-tabs]");
        for (const one of list.querySelectorAll("[role=tab]")) {
            const chosen = one === tab;
            one.setAttribute("aria-selected", String(chosen));
            one.tabIndex = chosen ? 0 : -1;
            document.getElementById(one.getAttribute("aria-controls")).hidden = !chosen;
        }
        if (focus) tab.focus();
        const parameter = list.dataset.rgTabs;
        if (!parameter) return;
        const address = new URL(location.href);
        if (tab === list.querySelector("[role=tab]")) address.searchParams.delete(parameter);
        else address.searchParams.set(parameter, tab.dataset.rgTab);
        history.replaceState(history.state, "", address);
    }

    document.addEventListener("click", (event) => {
        const tab = event.target.closest("[data-rg-tabs] [role=tab]");
        if (tab) return choose(tab, true);
        const opener = event.target.closest("[data-rg-open]");
        if (!opener) return undefined;
        event.preventDefault();
        return choose(document.getElementById(`tab-${opener.dataset.rgOpen}`), true);
    });

    document.addEventListener("keydown", (event) => {
        const tab = event.target.closest?.("[data-rg-tabs] [role=tab]");
        if (!tab) return;
        const tabs = [...tab.closest("[data-rg-tabs]").querySelectorAll("[role=tab]")];
        const at = tabs.indexOf(tab);
        const next = {
            ArrowRight: tabs[(at + 1) % tabs.length],
            ArrowLeft: tabs[(at + tabs.length - 1) % tabs.length],
            Home: tabs[0],
            End: tabs[tabs.length - 1],
        }[event.key];
        if (!next) return;
        event.preventDefault();
        choose(next, true);
    });

    document.addEventListener("click", async (event) => {
        const button = event.target.closest("[data-rg-copy]");
        if (!button) return;
        await navigator.clipboard.writeText(button.dataset.rgCopy);
        tell(button.dataset.copied);
    });

    window.Regulars = Object.assign(window.Regulars || {}, { live: { parsed, refresh, tell } });
})();
