// The first page: figures come in when they are there, what happened last is kept up to date, and the
// bars of the charts say what they are. Without this script all of it is there, as of when it was made.
"use strict";

(() => {
    const OFTEN = 15_000; // what happened last
    const SELDOM = 60_000; // figures that are fresh
    const SOON = 2_000; // figures that are on their way

    document.addEventListener("DOMContentLoaded", () => {
        const place = document.getElementById("dashboard");
        if (!place) return;
        draw(place);
        figures(place, wait(place));
        latest(place);
    });

    const body = (place) => place.firstElementChild;
    const wait = (place) => ("pending" in body(place).dataset ? SOON : SELDOM);

    async function fetched(address) {
        try {
            const answer = await fetch(address, { headers: { "X-Requested-With": "fetch" }, redirect: "error" });
            return answer.ok ? answer : null;
        } catch {
            return null; // offline, or signed out: what is there stays
        }
    }

    /** Ask for newer figures after a while, and go on asking. A page that nobody sees does not ask. */
    function figures(place, after) {
        setTimeout(async () => {
            if (document.hidden) return figures(place, after);
            const version = encodeURIComponent(body(place).dataset.version);
            const currency = new URLSearchParams(location.search).get("currency");
            const drawn = currency ? `&currency=${encodeURIComponent(currency)}` : "";
            const answer = await fetched(`${place.dataset.poll}&after=${version}${drawn}`);
            let next = answer ? wait(place) : SELDOM;
            if (answer && answer.status === 200) {
                put(place, await answer.text());
                next = wait(place);
            } else if (answer?.headers.get("Retry-After")) {
                next = SOON;
            } else if (answer) {
                next = SELDOM;
            }
            figures(place, next);
        }, after);
    }

    function put(place, html) {
        const first = !body(place).querySelector(".rg-tile-value");
        const focused = place.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
        const open = [...place.querySelectorAll("details[open]")].map((one) => one.closest("section")?.getAttribute("aria-labelledby"));
        place.innerHTML = html;
        draw(place);
        for (const id of open) {
            const details = place.querySelector(`section[aria-labelledby="${id}"] details`);
            if (details) details.open = true;
        }
        if (focused) place.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
        const status = document.querySelector("[data-dash-status]");
        if (first) status.textContent = status.dataset.said;
    }

    function latest(place) {
        setInterval(async () => {
            const list = place.querySelector("[data-dash-latest]");
            if (document.hidden || !list || list.contains(document.activeElement)) return;
            const answer = await fetched(place.dataset.latest);
            const html = answer && (await answer.text());
            if (html && html !== list.dataset.shown) {
                list.dataset.shown = html;
                list.innerHTML = html;
            }
        }, OFTEN);
    }

    /** Tips and arrow keys for each chart of the page. */
    function draw(place) {
        for (const plot of place.querySelectorAll("[data-rg-chart]")) {
            const bars = [...plot.querySelectorAll("[data-bar]")];
            const tip = plot.querySelector(".rg-plot-tip");
            for (const bar of bars) {
                bar.querySelector("title")?.remove(); // the tip says it, and more
                bar.addEventListener("pointerenter", () => show(plot, tip, bar));
                bar.addEventListener("pointerleave", () => { tip.hidden = true; });
                bar.addEventListener("focus", () => show(plot, tip, bar));
                bar.addEventListener("blur", () => { tip.hidden = true; });
                bar.addEventListener("keydown", (event) => {
                    const at = bars.indexOf(bar);
                    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: bars.length - 1 }[event.key];
                    if (event.key === "Escape") tip.hidden = true;
                    if (to === undefined || !bars[to]) return;
                    event.preventDefault();
                    bar.setAttribute("tabindex", "-1");
                    bars[to].setAttribute("tabindex", "0");
                    bars[to].focus();
                });
            }
        }
    }

    function show(plot, tip, bar) {
        const [head, ...rest] = bar.getAttribute("aria-label").split(/(?<=\.) /);
        const line = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
        tip.replaceChildren(line("b", head.replace(/\.$/, "")), ...rest.join(" ").split("; ").filter(Boolean).map((one) => line("span", one)));
        tip.hidden = false;
        const frame = plot.getBoundingClientRect();
        const box = bar.getBoundingClientRect();
        const middle = box.left + box.width / 2 - frame.left;
        tip.style.left = `${Math.max(-40, Math.min(middle - tip.offsetWidth / 2, frame.width - tip.offsetWidth))}px`;
    }
})();
