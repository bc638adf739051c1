// The timeline of a contact: more of it as one scrolls, and only one kind of entries; and the tags
// to choose from. Needs live.js.
"use strict";

(() => {
    const { parsed } = Regulars.live;

    /** Days that came, below those that are there: the first may go on with the last. */
    function append(days, fresh) {
        for (const node of [...fresh.body.children]) {
            const last = days.querySelector("[data-day]:last-of-type");
            if (node.dataset.day && last?.dataset.day === node.dataset.day) {
                last.querySelector("ol").append(...node.querySelectorAll("ol > li"));
            } else {
                days.append(document.adoptNode(node));
            }
        }
    }

    async function more(link, byHand) {
        if (link.dataset.busy) return;
        link.dataset.busy = "yes";
        const days = link.closest("[data-rg-days]");
        const place = link.closest(".rg-more");
        const before = days.querySelectorAll("[data-rg-alone]").length;
        try {
            const fresh = await parsed(link.dataset.rgMore);
            place.remove();
            append(days, fresh);
        } catch {
            delete link.dataset.busy;
            if (byHand) location.assign(link.href);
            return;
        }
        watch();
        if (!byHand) return;
        // Whoever pressed the button goes on with what it brought.
        const entry = days.querySelectorAll("[data-rg-alone]")[before];
        if (entry) {
            entry.tabIndex = -1;
            entry.focus({ preventScroll: true });
        }
    }

    const observer = new IntersectionObserver((seen) => {
        for (const { isIntersecting, target } of seen) {
            if (isIntersecting) more(target, false);
        }
    }, { rootMargin: "400px" });

    function watch() {
        observer.disconnect();
        for (const link of document.querySelectorAll("[data-rg-more]")) observer.observe(link);
    }

    async function only(link) {
        const timeline = link.closest("[data-rg-timeline]");
        const address = new URL(timeline.dataset.rgTimeline, location.href);
        const kind = new URL(link.href).searchParams.get("kind") ?? "";
        address.searchParams.set("whole", "yes");
        if (kind) address.searchParams.set("kind", kind);
        let fresh;
        try {
            fresh = (await parsed(address)).getElementById(timeline.id);
        } catch {
            location.assign(link.href);
            return;
        }
        timeline.replaceWith(document.adoptNode(fresh));
        history.replaceState(history.state, "", link.href);
        document.querySelector("[data-rg-only][aria-current]")?.focus({ preventScroll: true });
        watch();
    }

    document.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        const further = event.target.closest("[data-rg-more]");
        const kind = event.target.closest("[data-rg-only]");
        if (!further && !kind) return;
        event.preventDefault();
        if (further) more(further, true);
        else only(kind);
    });

    // The names of tags come when somebody is about to add one.
    document.addEventListener("focusin", async (event) => {
        const form = event.target.closest?.("[data-rg-suggest]");
        const list = form?.querySelector("datalist");
        if (!list || list.children.length || form.dataset.asked) return;
        form.dataset.asked = "yes";
        const answer = await fetch(form.dataset.rgSuggest, { headers: { "X-Regulars": "page" } });
        if (!answer.ok) return;
        const { tags } = await answer.json();
        list.replaceChildren(...tags.map((name) => new Option(name, name)));
    });

    document.addEventListener("regulars:refreshed", watch);
    document.addEventListener("DOMContentLoaded", watch);
})();
